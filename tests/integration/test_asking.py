"""Questions through a whole process: who may read what, and runs that outlive their readers."""

import asyncio
import json
import threading
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient
from prometheus_client import REGISTRY

from answering import tokens
from answering.asking import read_ask
from answering.consumers import AskConsumer
from answering.errors import NotFound, QuotaExceeded
from answering.models import Conversation, Profile, Run
from answering.stages import Question
from answering.store import RunStore
from answering.upstream import SimulatedUpstream
from answering.wiring import build
from retrieval import library
from retrieval.access import NOTHING, AccessScope
from retrieval.ingestion.indexing import index_document
from retrieval.models import Document
from tests.integration.asking import (
    LEAVE,
    QUESTION,
    a_model,
    an_ask,
    frames_of,
    make_cast,
    of,
    process,
    text_of,
)
from tests.integration.logins import LOGGED_OUT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db):
    return make_cast()


class Only:
    """A pool of one connection, which commits nothing by itself."""

    def __init__(self, connection):
        self._connection = connection

    @asynccontextmanager
    async def connection(self, timeout):
        yield self._connection


async def test_the_model_answers_with_its_sources_first(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        frames = await frames_of(built, an_ask(cast.member))
    kinds = [frame["type"] for frame in frames]
    assert kinds[0] == "accepted"
    assert kinds.index("citations") < kinds.index("delta")
    assert frames[-1]["finish"] == "complete"
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    passage = frames[kinds.index("citations")]["passages"][0]
    assert passage["title"] == "Annual leave"
    assert passage["marks"]
    known = {p["n"] for frame in of(frames, "citations") for p in frame["passages"]}
    assert frames[-1]["cited"]
    assert set(frames[-1]["cited"]) <= known


async def test_without_a_model_the_answer_quotes_its_source(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        frames = await frames_of(built, an_ask(cast.member))
    assert frames[-1]["finish"] == "extractive"
    assert "25 days of annual leave" in text_of(frames)


async def test_a_model_that_breaks_off_at_once_leaves_an_answer_with_sources(cast, settings, tmp_path):
    async with (
        SimulatedUpstream(cut=1.0, stall_after=3) as model,
        process(settings, tmp_path, model) as built,
    ):
        frames = await frames_of(built, an_ask(cast.member))
    assert frames[-1]["finish"] == "partial"
    assert frames[-1]["cited"]
    assert text_of(frames).startswith(of(frames, "delta")[0]["text"])
    assert "25 days of annual leave" in text_of(frames)


async def test_nobody_sees_what_is_not_theirs(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        for user, sees in (
            (cast.member, {"handbook"}),
            (cast.director, {"handbook", "papers"}),
            (cast.stranger, set()),
        ):
            frames = await frames_of(
                built, an_ask(user, "annual leave days and Project Nightjar million euros")
            )
            shown = {p["collection"] for frame in of(frames, "citations") for p in frame["passages"]}
            assert shown == sees
            assert ("Nightjar" in json.dumps(frames[1:])) == ("papers" in sees)


async def test_where_what_can_be_spared_waits_for_postgres_the_rest_does_not(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        spare = built.spare
        held = [await spare.getconn() for _ in range(spare.max_size)]
        frames = await frames_of(built, an_ask(cast.member))
        for connection in held:
            await spare.putconn(connection)
        assert frames[-1]["finish"] == "extractive"
        assert frames[-1]["route"] == "lexical"
        assert "vector_timeout" in frames[-1]["degraded"]
        again = await frames_of(built, an_ask(cast.member, "How many days of annual leave are there?"))
        assert again[-1]["route"] == "hybrid"


async def test_a_lost_group_counts_from_the_next_question(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        ask = an_ask(cast.director, "Project Nightjar million euros")
        before = await frames_of(built, ask)
        await sync_to_async(cast.director.groups.clear)()
        after = await frames_of(built, an_ask(cast.director, "Project Nightjar million euros"))
        with pytest.raises(NotFound):
            await built.runs.follow(ask.run, cast.director.pk)
    assert of(before, "citations")[-1]["passages"]
    assert not any(frame["passages"] for frame in of(after, "citations"))
    assert after[-1]["finish"] == "refused"


async def test_the_same_id_never_runs_twice(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        ask = an_ask(cast.member)
        first, second = await asyncio.gather(frames_of(built, ask), frames_of(built, ask))
        third = await frames_of(built, ask)
        assert first == second == third
        assert (await sync_to_async(Run.objects.count)()) == 1
        with pytest.raises(NotFound):
            await frames_of(built, an_ask(cast.stranger, run=ask.run))


async def test_an_id_that_two_processes_get_at_once_leaves_one_conversation(
    cast, settings, tmp_path, servers
):
    """The other process has not committed yet when this one is asked."""
    async with (
        process(settings, tmp_path) as built,
        await psycopg.AsyncConnection.connect(settings.DATABASE_URL) as other,
        await psycopg.AsyncConnection.connect(settings.DATABASE_URL, autocommit=True) as onlooker,
    ):
        ask = an_ask(cast.member)
        await RunStore(Only(other), owner="other").begin(ask)
        begun = asyncio.create_task(built.store.begin(ask))
        waits = "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while (await (await onlooker.execute(waits)).fetchone())[0] == 0:
            pass
        await other.commit()
        assert not (await begun).new
        assert (await sync_to_async(Conversation.objects.count)()) == 1
        assert (await sync_to_async(Run.objects.count)()) == 1


async def test_a_second_same_question_comes_from_the_cache_under_the_same_numbers(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        first = await frames_of(built, an_ask(cast.member))
        await built.answers.aclose()
        second = await frames_of(built, an_ask(cast.member))
        fresh = await frames_of(built, an_ask(cast.member, fresh=True))
        other = await frames_of(built, an_ask(cast.director))
    assert (second[-1]["finish"], second[-1]["route"]) == ("cached", "cached")
    assert text_of(second) == text_of(first)
    assert second[-1]["cited"] == first[-1]["cited"]
    assert fresh[-1]["finish"] == "complete"
    assert other[-1]["finish"] == "complete"


async def test_a_changed_document_is_never_answered_from_the_cache(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        await frames_of(built, an_ask(cast.member))
        await built.answers.aclose()
        await sync_to_async(cast.add)(
            cast.handbook, "new leave.md", "# Leave\n\nNow you get 30 days of annual leave.\n"
        )
        revision = built.follower.revision
        await asyncio.to_thread(built.follower.wait_for, lambda: built.follower.revision != revision, 20)
        frames = await frames_of(built, an_ask(cast.member))
    assert frames[-1]["finish"] == "complete"


async def test_a_document_just_replaced_is_found_as_it_is_though_the_index_of_words_is_behind(
    cast, settings, tmp_path
):
    def put_anew():
        built.follower.stop()
        document = Document.objects.get(name="leave.md")
        library.replace(document, "leave.md", [LEAVE.replace("25 days", "28 days").encode()])
        index_document(document.pk)

    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        await frames_of(built, an_ask(cast.member))
        await sync_to_async(put_anew)()
        frames = await frames_of(built, an_ask(cast.member))
    assert frames[-1]["finish"] == "complete"
    assert "28 days" in of(frames, "citations")[-1]["passages"][0]["text"]


async def test_a_reader_resumes_where_it_left(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        ask = an_ask(cast.member)
        whole = await frames_of(built, ask)
        rest = [frame async for frame in await built.runs.follow(ask.run, cast.member.pk, after=3)]
        with pytest.raises(NotFound):
            await built.runs.follow(ask.run, cast.stranger.pk)
    assert rest == whole[3:]


@pytest.mark.parametrize("beyond", [0, 7], ids=["at the end", "beyond it"])
async def test_who_resumes_where_nothing_comes_any_more_hears_the_end_again(cast, settings, tmp_path, beyond):
    async with (
        SimulatedUpstream(first_token="fixed:30", tokens=5) as model,
        process(settings, tmp_path, model) as built,
    ):
        ask = an_ask(cast.member)
        begun = await built.ask(ask)
        early = await built.runs.follow(ask.run, cast.member.pk, after=100)
        whole = [frame async for frame in begun]
        assert [frame async for frame in early] == whole[-1:]
        await built.runs.settled(ask.run)
        late = await built.runs.follow(ask.run, cast.member.pk, after=len(whole) + beyond)
        assert [frame async for frame in late] == whole[-1:]


async def test_another_process_serves_and_stops_a_run(cast, settings, tmp_path):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:100", tokens=200)
    async with slow, process(settings, tmp_path, slow) as here:
        there = await build()
        try:
            ask = an_ask(cast.member)
            begun = await here.ask(ask)
            seen = [await anext(begun) for _ in range(4)]
            elsewhere = await there.runs.follow(ask.run, cast.member.pk)
            copied = [await anext(elsewhere) for _ in range(4)]
            await there.runs.stop(ask.run, cast.member.pk)
            rest = [frame async for frame in elsewhere]
        finally:
            await there.aclose()
    assert copied == seen
    assert rest[-1]["finish"] == "stopped"


async def test_nobody_follows_or_stops_a_run_of_another(cast, settings, tmp_path):
    slow = SimulatedUpstream(first_token="fixed:500", token_gap="fixed:1", tokens=5)
    async with slow, process(settings, tmp_path, slow) as here:
        there = await build()
        try:
            ask = an_ask(cast.member)
            begun = await here.ask(ask)
            for runs in (here.runs, there.runs):
                for act in (runs.follow, runs.stop):
                    with pytest.raises(NotFound):
                        await act(ask.run, cast.director.pk)
            here.runs.stop_here(ask.run, cast.director.pk)  # as another process would have it stopped
            frames = [frame async for frame in begun]
        finally:
            await there.aclose()
    assert frames[-1]["finish"] == "complete"


async def test_nobody_asks_in_a_conversation_of_another(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        frames = await frames_of(built, an_ask(cast.member))
        with pytest.raises(NotFound):
            await built.ask(an_ask(cast.director, conversation=frames[0]["conversation"]))
    assert (await sync_to_async(Run.objects.count)()) == 1


async def test_a_reader_elsewhere_gets_the_whole_answer_though_redis_goes_away(cast, settings, tmp_path):
    socket, real = tmp_path / "redis.sock", settings.REDIS_URL
    socket.symlink_to(real.removeprefix("unix://").partition("?")[0])
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:50", tokens=30)
    async with slow, process(settings, tmp_path, slow) as here:
        settings.REDIS_URL = f"unix://{socket}"
        there = await build()
        try:
            ask = an_ask(cast.member)
            begun = await here.ask(ask)
            elsewhere = await there.runs.follow(ask.run, cast.member.pk)
            seen = [await anext(elsewhere) for _ in range(4)]
            socket.unlink()
            await there.redis.connection_pool.disconnect()
            rest = [frame async for frame in elsewhere]
        finally:
            await there.aclose()
        assert [frame async for frame in begun] == seen + rest


async def test_answers_stream_without_redis_and_say_so(cast, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        frames = await frames_of(built, an_ask(cast.member))
    assert frames[-1]["finish"] == "complete"
    assert "redis_unavailable" in frames[-1]["degraded"]


async def test_redis_that_is_back_is_not_said_to_be_away(cast, settings, tmp_path):
    socket = tmp_path / "redis.sock"
    there = settings.REDIS_URL
    settings.REDIS_URL = f"unix://{socket}"
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        gone = await frames_of(built, an_ask(cast.member))
        await built.redis.connection_pool.disconnect()
        socket.symlink_to(there.removeprefix("unix://").partition("?")[0])
        noticed = await frames_of(built, an_ask(cast.member))
        back = await frames_of(built, an_ask(cast.member))
    assert "redis_unavailable" in gone[-1]["degraded"]
    assert noticed[-1]["finish"] == "complete"
    assert "redis_unavailable" not in back[-1]["degraded"]


@pytest.fixture
def application():
    from qa_site.asgi import application

    return application


async def socket_of(application, user):
    client = AsyncClient()
    await client.aforce_login(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [(b"cookie", cookie.encode()), (b"origin", b"http://testserver"), (b"host", b"testserver")]
    return WebsocketCommunicator(application, "/ws/ask/", headers=headers)


async def received(socket, until):
    frames = []
    while not frames or frames[-1]["type"] not in until:
        frames.append(await socket.receive_json_from(timeout=20))
    return frames


async def test_the_socket_hears_stop_while_it_streams(cast, settings, tmp_path, application):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:100", tokens=200)
    async with slow, process(settings, tmp_path, slow):
        socket = await socket_of(application, cast.member)
        assert (await socket.connect())[0]
        run = an_ask(cast.member).run
        ask = {"type": "ask", "id": run, "question": QUESTION, "conversation": None, "collections": None}
        await socket.send_json_to(ask)
        before = await received(socket, {"delta"})
        await socket.send_json_to({"type": "stop", "run": run})
        after = await received(socket, {"done", "error"})
        await socket.disconnect()
    assert [frame["seq"] for frame in before + after] == list(range(1, len(before + after) + 1))
    assert after[-1]["finish"] == "stopped"


async def test_a_question_does_not_wait_for_the_orms_thread(cast, settings, tmp_path, application):
    """In which other sockets are opened, and which may wait for a Postgres that hangs."""
    free = threading.Event()
    async with a_model() as model, process(settings, tmp_path, model):
        socket = await socket_of(application, cast.member)
        assert (await socket.connect())[0]
        taken = asyncio.create_task(sync_to_async(free.wait)(30))
        try:
            await socket.send_json_to({"type": "ask", "id": str(uuid.uuid4()), "question": QUESTION})
            frames = await received(socket, {"done", "error"})
            await socket.disconnect()
        finally:
            free.set()
            await taken
    assert frames[-1]["finish"] == "complete"


async def test_who_writes_ids_in_capitals_gets_them_back_so(cast, settings, tmp_path, application):
    async with process(settings, tmp_path):
        socket = await socket_of(application, cast.member)
        await socket.connect()
        run = str(uuid.uuid4()).upper()
        await socket.send_json_to({"type": "ask", "id": run, "question": QUESTION})
        frames = await received(socket, {"done", "error"})
        await socket.send_json_to({"type": "resume", "run": run.lower(), "after": len(frames) - 1})
        again = await received(socket, {"done", "error"})
        await socket.disconnect()
    assert {frame["run"] for frame in frames} == {run}
    assert again == [{**frames[-1], "run": run.lower()}]


async def test_a_question_sent_again_is_answered_also_beyond_the_quota(cast, settings, tmp_path):
    settings.QUOTA_PER_MINUTE = 1
    async with process(settings, tmp_path) as built:
        ask = an_ask(cast.member)
        frames = await frames_of(built, ask)
        assert await frames_of(built, ask) == frames
        with pytest.raises(QuotaExceeded):
            await built.ask(an_ask(cast.member))


async def test_a_stop_right_behind_its_question_stops_it(cast, settings, tmp_path, application):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:100", tokens=200)
    async with slow, process(settings, tmp_path, slow):
        socket = await socket_of(application, cast.member)
        await socket.connect()
        run = an_ask(cast.member).run
        await socket.send_json_to({"type": "ask", "id": run, "question": QUESTION})
        await socket.send_json_to({"type": "stop", "run": run})
        frames = await received(socket, {"done", "error"})
        await socket.disconnect()
    assert (frames[0]["type"], frames[-1]["type"], frames[-1].get("finish")) == (
        "accepted",
        "done",
        "stopped",
    )


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ask", "id": "nonsense", "question": "?"},
        {"type": "ask", "id": "11111111-1111-4111-8111-111111111111", "question": "  "},
        {"type": "ask", "id": "11111111-1111-4111-8111-111111111111", "question": "x" * 5000},
        {"type": "ask", "id": "11111111-1111-4111-8111-111111111111", "question": "x", "collections": "all"},
        {"type": "dance"},
        {"type": "resume", "run": "11111111-1111-4111-8111-111111111111", "after": 0},
        {"type": "stop", "run": "11111111-1111-4111-8111-111111111111"},
        {"type": "ask", "id": "\ud800", "question": "x"},
        ["no", "object"],
        "[" * 50_000,
    ],
    ids=lambda frame: str(frame)[:60].encode("ascii", "backslashreplace").decode(),
)
async def test_what_cannot_be_asked_is_answered_with_what_is_wrong(
    cast, settings, tmp_path, application, frame
):
    async with process(settings, tmp_path):
        socket = await socket_of(application, cast.member)
        await socket.connect()
        await socket.send_to(frame if isinstance(frame, str) else json.dumps(frame))
        answer = await socket.receive_json_from(timeout=10)
        await socket.disconnect()
    assert answer["type"] == "error"
    assert answer["code"] in {"bad_request", "not_found"}
    assert answer["message"]


async def test_a_frame_that_is_too_long_is_refused_by_the_name_of_its_run(
    cast, settings, tmp_path, application
):
    async with process(settings, tmp_path):
        socket = await socket_of(application, cast.member)
        await socket.connect()
        about = '{"type":"ask","id":"11111111-1111-4111-8111-111111111111"}'
        frame = {"type": "ask", "question": about + "x" * 70_000, "id": an_ask(cast.member).run}
        await socket.send_to(json.dumps(frame))
        answer = await socket.receive_json_from(timeout=10)
        await socket.disconnect()
    assert (answer["code"], answer["run"]) == ("bad_request", frame["id"])


@pytest.mark.parametrize("slug", ["\ud800", "no\0where"])
async def test_a_collection_that_cannot_exist_is_like_one_that_does_not(cast, settings, tmp_path, slug):
    async with process(settings, tmp_path) as built:
        body = {"id": str(uuid.uuid4()), "question": QUESTION, "collections": [slug]}
        frames = await frames_of(built, read_ask(body, cast.member.pk, "api"))
    assert (of(frames, "citations")[-1]["passages"], frames[-1]["finish"]) == ([], "refused")


@pytest.mark.parametrize("said", [RuntimeError("closed protocol"), ConnectionResetError()], ids=repr)
async def test_a_reader_who_has_just_left_is_no_error(said):
    async def gone(message):
        raise said

    consumer = AskConsumer()
    consumer.base_send = gone
    await consumer.receive("nonsense")


async def test_without_a_login_the_socket_closes(application, transactional_db):
    headers = [(b"origin", b"http://testserver"), (b"host", b"testserver")]
    socket = WebsocketCommunicator(application, "/ws/ask/", headers=headers)
    await socket.connect()
    assert (await socket.receive_output(timeout=5))["code"] == 4401
    await socket.disconnect()


@pytest.mark.parametrize("path", ["/ws/nowhere/", "/ws/ask"])
async def test_a_socket_at_an_unknown_address_is_refused_though_redis_is_away(
    application, settings, tmp_path, path
):
    backend = settings.CHANNEL_LAYERS["default"]["BACKEND"]
    away = {"hosts": [f"unix://{tmp_path}/nobody.sock"]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": away}}
    socket = WebsocketCommunicator(application, path)
    assert not (await socket.connect())[0]
    await socket.disconnect()


@pytest.mark.parametrize("change", LOGGED_OUT)
async def test_an_open_socket_answers_nobody_who_is_not_logged_in_any_more(
    cast, settings, tmp_path, application, change
):
    async with process(settings, tmp_path):
        socket = await socket_of(application, cast.member)
        assert (await socket.connect())[0]
        await sync_to_async(change)(cast.member)
        ask = {"type": "ask", "id": an_ask(cast.member).run, "question": QUESTION, "collections": None}
        await socket.send_json_to({**ask, "conversation": None})
        output = await socket.receive_output(timeout=20)
        await socket.disconnect()
    assert (output["type"], output["code"]) == ("websocket.close", 4401)


async def test_http_gives_one_json_body_or_a_stream(cast, settings, tmp_path):
    token = await sync_to_async(tokens.create)(cast.member)
    headers = {"authorization": f"Bearer {token}"}
    async with process(settings, tmp_path):
        client = AsyncClient()
        url, body = "/api/v1/ask", {"question": QUESTION}
        whole = await client.post(url, body, content_type="application/json", headers=headers)
        answer = whole.json()
        accept = {**headers, "accept": "text/event-stream"}
        stream = await client.post(url, body, content_type="application/json", headers=accept)
        sent = b"".join([piece async for piece in stream.streaming_content]).decode()
        again = await client.get(f"/api/v1/runs/{answer['run']}", headers=headers)
        nobody = await client.post(url, body, content_type="application/json")
        empty = await client.post(url, {"question": ""}, content_type="application/json", headers=headers)
        found = await client.get("/api/v1/search?q=annual+leave&k=3", headers=headers)
    assert whole.status_code == 200
    assert "25 days" in answer["answer"]
    assert {"run", "answer", "citations", "finish", "route", "degraded", "stages"} <= set(answer)
    assert again.json()["answer"] == answer["answer"]
    events = [line.removeprefix("event: ") for line in sent.splitlines() if line.startswith("event: ")]
    assert (events[0], events[-1]) == ("accepted", "done")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "bad_request")
    assert {"lexical_rank", "vector_rank", "score"} <= set(found.json()[0])


async def test_every_error_of_the_http_interface_has_one_form(cast, settings, tmp_path):
    token = await sync_to_async(tokens.create)(cast.member)
    headers = {"authorization": f"Bearer {token}"}
    huge = json.dumps({"question": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    async with process(settings, tmp_path):
        client = AsyncClient()
        answers = [
            await client.get("/api/v1/nowhere"),
            await client.get("/api/v1/ask"),
            await client.delete("/api/v1/search"),
            await client.post("/api/v1/ask", huge, content_type="application/json", headers=headers),
        ]
        page = await client.get("/nowhere")
    assert [answer.status_code for answer in answers] == [404, 405, 405, 413]
    assert answers[1]["Allow"] == "POST"
    for answer in answers:
        assert set(answer.json()["error"]) == {"code", "message"}
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.expects_errors
async def test_a_name_that_is_not_ours_is_refused_in_the_form_of_the_http_interface(settings):
    settings.ALLOWED_HOSTS = ["docs.example"]
    answer = await AsyncClient().get("/api/v1/search?q=leave")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert answer["Content-Length"] == str(len(answer.content))


async def test_a_field_that_is_missing_is_named_as_its_sender_knows_it(cast, settings, tmp_path):
    token = await sync_to_async(tokens.create)(cast.member)
    headers = {"authorization": f"Bearer {token}"}
    async with process(settings, tmp_path):
        client = AsyncClient()
        answers = [
            await client.post("/api/v1/ask", "", content_type="application/json", headers=headers),
            await client.post("/api/v1/ask", {}, content_type="application/json", headers=headers),
            await client.post("/api/v1/documents", headers=headers),
            await client.get("/api/v1/search", headers=headers),
        ]
    said = [answer.json()["error"]["message"] for answer in answers]
    assert said == [f"`{name}`: Field required." for name in ("body", "question", "file", "q")]


async def test_older_turns_are_told_by_their_gists_and_only_while_readable(cast, settings, tmp_path):
    settings.FAST_MODEL = "fast"
    async with (
        SimulatedUpstream(first_token="fixed:5", tokens=20) as model,
        process(settings, tmp_path, model) as built,
    ):
        asked = [f"How many days of annual leave, question {number}?" for number in range(6)]
        conversation = None
        for text in asked:
            frames = await frames_of(built, an_ask(cast.member, text, conversation=conversation))
            conversation = frames[0]["conversation"]
        await asyncio.gather(*built.gists._tasks)
        gists = await sync_to_async(list)(Run.objects.order_by("created_at").values_list("gist", flat=True))
        scope = AccessScope(frozenset({cast.handbook.pk}))
        question = Question("11111111-1111-4111-8111-111111111111", cast.member.pk, "?", conversation, scope)
        readable = await built.store.history(question)
        unreadable = await built.store.history(replace(question, scope=NOTHING))
        of_another = await built.store.history(replace(question, user=cast.director.pk))
    assert [bool(gist) for gist in gists] == [True, True, False, False, False, False]
    assert [turn.question for turn in readable.turns] == asked[2:]
    assert readable.summary.splitlines() == gists[:2]
    assert (unreadable.turns, unreadable.summary) == ((), "")
    assert (of_another.turns, of_another.summary) == ((), "")


async def test_a_profile_is_told_of_its_asker_alone(cast, settings, tmp_path):
    said = {cast.member: "Nurse", cast.director: "Director", cast.stranger: ""}
    for user in (cast.member, cast.director):
        await Profile.objects.acreate(user=user, role=said[user])
    async with process(settings, tmp_path) as built:
        for user, role in said.items():
            ask = an_ask(user)
            begun = await built.store.begin(ask)
            question = Question(ask.run, user.pk, ask.text, begun.conversation, begun.scope)
            history = await built.store.history(question)
            assert (begun.profile, history.profile) == (role, role)


async def test_what_waits_for_the_worker_is_measured(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        built.recovery.queues = {"test": "a-queue-of-the-tests"}
        await built.redis.rpush("a-queue-of-the-tests", "one", "two")
        await built.recovery._measure_queues()
        assert REGISTRY.get_sample_value("qa_queue_depth", {"queue": "test"}) == 2
        await built.redis.delete("a-queue-of-the-tests")
    assert REGISTRY.get_sample_value("qa_breaker_state", {"dependency": "lexical"}) == 0
