"""The copy of the runs' frames in Redis: all runs in one call, each on its own where something is wrong."""

import uuid

import pytest
from redis.asyncio import Redis

from answering import events
from answering.runlog import Copier, RunLog, stored_frames, stream_key


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
async def copier(redis):
    made = Copier(redis)
    yield made
    await made.aclose()


class Told:
    """What the copier says of a run."""

    def __init__(self, copier, log):
        self.log, self.said = log, []
        self.copy = copier.start(
            log, on_lost=lambda: self.said.append("lost"), on_failed=lambda: self.said.append("failed")
        )


def a_log(words=("One",)):
    log = RunLog(str(uuid.uuid4()))
    log.write(events.accepted("c", "?"))
    for word in words:
        log.write(events.delta(word))
    return log


def end(log):
    log.write(events.error("internal", "over", None))


async def test_the_frames_of_all_runs_go_in_one_call(redis, copier):
    await redis.config_resetstat()
    runs = [Told(copier, a_log()) for _ in range(5)]
    for run in runs:
        end(run.log)
    for run in runs:
        await run.copy.over.wait()
    stats = await redis.info("commandstats")
    assert [await stored_frames(redis, run.log.run) for run in runs] == [run.log.frames for run in runs]
    assert stats["cmdstat_evalsha"]["calls"] <= 2  # the first time Redis does not know the script
    assert not any(run.said for run in runs)


async def test_what_comes_later_is_added_behind_what_is_there(redis, copier):
    run = Told(copier, a_log())
    while len(await stored_frames(redis, run.log.run)) < 2:
        pass
    run.log.write(events.delta("two"))
    end(run.log)
    await run.copy.over.wait()
    assert await stored_frames(redis, run.log.run) == run.log.frames


async def test_a_run_that_another_process_took_over_is_lost_and_not_written_to(redis, copier):
    log = a_log()
    await redis.xadd(stream_key(log.run), {"frames": b"[]"}, id="9-0")
    run = Told(copier, log)
    await run.copy.over.wait()
    assert run.said == ["lost"]
    assert await redis.xlen(stream_key(log.run)) == 1


async def test_frames_that_are_no_json_fail_their_run_alone(redis, copier):
    bad, good = Told(copier, a_log(["\ud800"])), Told(copier, a_log())
    end(good.log)
    await bad.copy.over.wait()
    await good.copy.over.wait()
    assert (bad.said, good.said) == (["failed"], [])
    assert await stored_frames(redis, good.log.run) == good.log.frames


async def test_a_failure_of_long_ago_says_nothing_of_redis_now(tmp_path):
    now = [0.0]
    async with Redis.from_url(f"unix://{tmp_path}/nobody.sock") as away:
        copier = Copier(away, clock=lambda: now[0])
        run = Told(copier, a_log())
        await run.copy.over.wait()
        assert (run.said, copier.failed) == (["failed"], True)
        now[0] += 60
        assert not copier.failed
        await copier.aclose()
