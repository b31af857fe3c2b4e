"""How runs begin, whoever stays to see it."""

import asyncio
import uuid
from contextlib import AbstractContextManager, nullcontext, suppress

from answering import events
from answering.runs import LiveRun, RunManager
from answering.store import Ask, Begun
from retrieval.access import AccessScope
from tests.clock import autojump
from tests.fake_parts import CONVERSATION
from tests.unit.answering.test_fault_product import ScriptedRedis


class SlowStore:
    """Stores a question at once, and says so when it is told to."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.begun = 0

    async def begin(self, ask: Ask) -> Begun:
        self.begun += 1
        new = self.begun == 1
        self.asked.set()
        await self.go.wait()
        return Begun(CONVERSATION, AccessScope(frozenset({1})), new=new)

    def finishing(self, question: object, record: object) -> AbstractContextManager[None]:
        return nullcontext()

    async def finish(self, run: str, values: object) -> None:
        pass


async def nothing_to_say(live: LiveRun) -> None:
    live.log.write(events.error("unavailable", "Nothing."))


@autojump
async def test_a_question_is_answered_whose_asker_left_while_it_was_stored() -> None:
    store = SlowStore()
    runs = RunManager(store, ScriptedRedis("ok"), nothing_to_say)
    ask = Ask(str(uuid.uuid4()), 1, "How many days of annual leave do I get?")
    asking = asyncio.create_task(runs.ask(ask))
    await store.asked.wait()
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    again = asyncio.create_task(runs.ask(ask))
    store.go.set()
    frames = [frame["type"] async for frame in await again]
    assert (frames, store.begun) == (["accepted", "error"], 1)
