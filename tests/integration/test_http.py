"""The HTTP interface as its document describes it, and its streams byte for byte."""

import uuid

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client

from answering import tokens
from answering.api import build
from answering.events import wire
from retrieval.models import Document
from tests.integration.asking import QUESTION, an_ask, frames_of, make_cast, process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db):
    return make_cast()


async def bearer(user):
    return {"authorization": f"Bearer {await sync_to_async(tokens.create)(user)}"}


async def body_of(stream):
    return b"".join([piece async for piece in stream.streaming_content])


async def test_frames_of_what_is_over_are_the_same_bytes(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        ask = an_ask(cast.member)
        sent = await frames_of(built, ask)
        stored = (await built.store.run(ask.run, cast.member.pk))["events"]
    assert [wire(frame) for frame in stored] == [wire(frame) for frame in sent]


async def test_a_client_that_connects_again_gets_what_it_lacks(cast, settings, tmp_path):
    headers = await bearer(cast.member)
    async with process(settings, tmp_path):
        client, run = AsyncClient(), str(uuid.uuid4())
        sent = await client.post(
            "/api/v1/ask",
            {"question": QUESTION, "id": run},
            content_type="application/json",
            headers={**headers, "accept": "text/event-stream"},
        )
        whole, url = await body_of(sent), f"/api/v1/runs/{run}/events"
        again = await body_of(await client.get(url, headers={**headers, "last-event-id": "2"}))
        told = await body_of(await client.get(f"{url}?after=2", headers={**headers, "last-event-id": "1"}))
        odd = await body_of(await client.get(url, headers={**headers, "last-event-id": "two"}))
    assert again == told == b"\n\n".join(whole.split(b"\n\n")[2:])
    assert odd == whole


async def test_several_collections_are_named_either_way(cast, settings, tmp_path):
    headers = await bearer(cast.director)
    async with process(settings, tmp_path):
        client = AsyncClient()
        named = [
            "collections=handbook,papers",
            "collections=handbook&collections=papers",
            "collections=papers",
        ]
        found = [(await client.get(f"/api/v1/search?q=leave&{one}", headers=headers)).json() for one in named]
    assert {passage["collection"] for passage in found[0]} == {"handbook", "papers"}
    assert found[1] == found[0]
    assert {passage["collection"] for passage in found[2]} == {"papers"}


async def test_ranks_of_a_search_tell_nothing_of_what_else_was_found(cast, settings, tmp_path):
    headers = await bearer(cast.member)
    async with process(settings, tmp_path):
        query = "Merger:+Project+Nightjar+and+annual+leave+reserves"
        found = (await AsyncClient().get(f"/api/v1/search?q={query}", headers=headers)).json()
    for leg in ("lexical_rank", "vector_rank"):
        ranks = sorted(passage[leg] for passage in found if passage[leg])
        assert ranks == list(range(1, len(ranks) + 1)) != []


async def test_an_empty_id_is_none_of_the_clients(cast, settings, tmp_path):
    headers = await bearer(cast.member)
    async with process(settings, tmp_path):
        asked = {"question": QUESTION, "id": ""}
        answer = await AsyncClient().post(
            "/api/v1/ask", asked, content_type="application/json", headers=headers
        )
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "`id` must be a UUID.")


def test_several_files_are_refused_before_one_of_them_gets_lost(cast):
    cast.member.groups.add(Group.objects.get(name="Librarians"))
    headers = {"authorization": f"Bearer {tokens.create(cast.member)}"}
    files = [SimpleUploadedFile(f"{number}.md", b"# Leave") for number in range(2)]
    before = Document.objects.count()
    answer = Client().post("/api/v1/documents", {"file": files, "collection": "handbook"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Send one file a request.")
    assert Document.objects.count() == before


def test_the_document_names_the_errors_and_the_streams():
    document = build().get_openapi_schema()
    failure = {"$ref": "#/components/schemas/Failure"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            assert {401, 503} <= set(responses), (method, path)
            errors = [
                told["content"]["application/json"]["schema"]
                for status, told in responses.items()
                if status >= 400
            ]
            assert errors == [failure] * len(errors)
    ask = document["paths"]["/api/v1/ask"]["post"]["responses"]
    assert {400, 404, 413, 422, 429} <= set(ask)
    assert set(ask[200]["content"]) == {"application/json", "text/event-stream"}
    k = next(one for one in document["paths"]["/api/v1/search"]["get"]["parameters"] if one["name"] == "k")
    assert (k["schema"]["minimum"], k["schema"]["maximum"]) == (1, 100)
