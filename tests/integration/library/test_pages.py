"""What the library's buttons do, what the page of a document shows, and the socket of the library."""

import re

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from qa_site.asgi import application
from retrieval import library
from retrieval.ingestion import indexing
from retrieval.models import Chunk, Collection, Document
from retrieval.rendering import to_html
from tests.integration.library.conftest import FakeEmbedder
from tests.integration.logins import LOGGED_OUT

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "# Leave\n\nYou get 25 days of annual leave.\n\n# Pay\n\n| Grade | Pay |\n|---|---|\n| A | 10 |\n"


def file(name: str = "leave.md", text: str = TEXT) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


@pytest.fixture
def librarian(cast, as_user):
    return as_user(cast.librarian)


def test_a_form_uploads_many_files_at_once(librarian, people):
    response = librarian.post(
        "/library/upload/", {"collection": "people", "file": [file("a.md"), file("b.md")]}
    )
    assert response["Location"] == "/library/?collection=people"
    assert set(Document.objects.values_list("name", "status")) == {("a.md", "queued"), ("b.md", "queued")}


@pytest.mark.expects_errors  # Django logs what it refuses
def test_a_form_with_too_many_files_is_told_how_many_may_be(librarian, people):
    files = [file(f"{n}.md") for n in range(201)]
    response = librarian.post("/library/upload/", {"collection": "people", "file": files})
    assert response.status_code == 400
    assert "at most 200 at once" in response.content.decode()
    assert not Document.objects.exists()


@pytest.mark.expects_errors
def test_a_request_that_django_refuses_is_answered_with_a_page(client):
    response = client.post("/accounts/login/", {str(number): "" for number in range(5_000)})
    assert response.status_code == 400
    assert "was not understood" in response.content.decode()


def test_the_script_uploads_a_file_and_gets_its_state(librarian, people):
    response = librarian.post(
        "/library/upload/", {"collection": "people", "file": file()}, headers={"Accept": "application/json"}
    )
    assert response.status_code == 202
    assert response.json()["documents"][0]["said"] == "Waiting"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" .txt", ".txt"),
        ("   ", "unnamed"),
        ("a/ / b .txt", "a/b .txt"),
        ("../../etc/passwd", "etc/passwd"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("Gro\u0308\u00dfe.txt", "Größe.txt"),
        ("x" * 500 + ".txt", "x" * 396 + ".txt"),
    ],
)
def test_a_name_is_kept_so_that_it_can_be_read(given, kept):
    assert library.file_name(given) == kept


def test_an_empty_file_is_taken_in_and_fails_with_a_reason(librarian, people):
    librarian.post("/library/upload/", {"collection": "people", "file": file("empty.txt", "")})
    document = Document.objects.get()
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert "The file is empty." in librarian.get("/library/").content.decode()


def test_an_upload_that_is_refused_says_why(librarian, people, settings):
    settings.MAX_DOCUMENT_MB = 1
    response = librarian.post(
        "/library/upload/",
        {"collection": "people", "file": file("a.txt", "x" * 2**21)},
        headers={"Accept": "application/json"},
    )
    assert response.status_code == 413
    assert response.json()["error"]["message"] == "The file is over the limit of 1.0 MB."


@pytest.mark.parametrize("page", ["/library/", "/d/{}/", "/d/{}/file"])
def test_a_page_may_be_asked_whether_it_is_there(librarian, add, page):
    assert librarian.head(page.format(add(TEXT).pk)).status_code == 200


def test_a_failed_document_is_tried_again(librarian, add, cast):
    document = add("  ")
    librarian.post(f"/library/{document.pk}/retry/")
    document.refresh_from_db()
    assert (document.status, document.reason) == ("queued", "")


def test_a_document_is_replaced(librarian, add, cast):
    document = add(TEXT)
    librarian.post(f"/library/{document.pk}/replace/", {"file": file("new.md", "You get 30 days.")})
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert Chunk.objects.get().text == "You get 30 days."


def test_a_document_is_moved(cast, as_user, add, board):
    document = add(TEXT)
    to = f"/library/{document.pk}/move/"
    page = as_user(cast.superuser).post(to, {"collection": "board"}, follow=True)
    document.refresh_from_db()
    assert document.collection == board
    assert f"“{document}” is in {board.name} now." in page.content.decode()


def test_a_document_is_deleted(librarian, add, cast):
    document = add(TEXT)
    page = librarian.post(f"/library/{document.pk}/delete/", follow=True)
    assert not Document.objects.exists()
    assert f"“{document}” is deleted." in page.content.decode()


def test_a_collection_is_made_once(librarian):
    for _ in range(2):
        librarian.post("/library/collections/", {"name": "House rules"})
    assert Collection.objects.filter(slug="house-rules").count() == 1


def test_the_page_lists_documents_with_their_state(librarian, add, cast):
    add(TEXT, "leave.md")
    page = librarian.get("/library/").content.decode()
    assert "leave.md" in page
    assert "Ready" in page


def test_states_are_given_again_to_a_page_that_missed_some(librarian, add, cast):
    document = add(TEXT)
    (state,) = librarian.get("/library/states/?collection=people").json()["documents"]
    assert (state["id"], state["status"], state["url"]) == (str(document.pk), "ready", f"/d/{document.pk}/")


def test_the_page_of_a_document_shows_its_text_in_order(librarian, add, cast):
    document = add(TEXT)
    page = librarian.get(f"/d/{document.pk}/").content.decode()
    assert page.index("You get 25 days") < page.index("<td>A</td>")


def test_the_passage_that_was_followed_is_marked(librarian, add, cast):
    document = add("".join(f"# Part {n}\n\n{'word ' * 150}\n\n" for n in range(3)))
    second = Chunk.objects.get(ordinal=1)
    page = librarian.get(f"/d/{document.pk}/?chunk={second.pk}").content.decode()
    assert page.count("passage rendered marked") == 1
    assert f'marked" id="chunk-{second.pk}"' in page


def test_a_long_document_opens_at_the_part_of_its_passage(librarian, add, cast):
    document = add("".join(f"# Part {n}\n\n{'word ' * 150}\n\n" for n in range(205)))
    last = Chunk.objects.order_by("ordinal").last()
    assert f"chunk-{last.pk}" in librarian.get(f"/d/{document.pk}/?chunk={last.pk}").content.decode()


def test_a_newer_version_that_failed_is_not_said_to_be_on_its_way(librarian, add, cast):
    document = add(TEXT)
    library.replace(document, "a.md", [b""])
    assert "on its way" in librarian.get(f"/d/{document.pk}/").content.decode()
    indexing.index_document(document.pk)
    page = librarian.get(f"/d/{document.pk}/").content.decode()
    assert "failed: The file is empty." in page
    assert "on its way" not in page


@pytest.mark.parametrize("chunk", ["1", "x", "9" * 30, "²", "-1"])
def test_a_passage_that_is_gone_is_said_to_be(librarian, add, cast, chunk):
    document = add(TEXT)
    page = librarian.get(f"/d/{document.pk}/", {"chunk": chunk})
    assert page.status_code == 200
    assert "no longer in this document" in page.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "![x](http://elsewhere.example/pixel.png)",
        "```html\n<script>alert(1)</script>\n```",
        "<http://elsewhere.example/>",
    ],
)
def test_nothing_in_a_document_becomes_active(text):
    tags = set(re.findall(r"<(\w+)([^>]*)>", to_html(text)))
    assert tags <= {("p", ""), ("pre", ""), ("code", "")}


def test_tables_and_lists_are_shown_as_such():
    html = to_html("- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | 2 |")
    assert "<li>one</li>" in html
    assert "<td>1</td>" in html


@pytest.fixture
def socket(cast, as_user):
    """A socket of the library, opened with the session of a user."""

    # Logged in here and not on the loop, whose thread would keep a connection open.
    sessions = {
        user.pk: as_user(user).cookies["citefirst_session"].value for user in (cast.member, cast.stranger)
    }

    async def opened(user) -> WebsocketCommunicator:
        cookie = f"citefirst_session={sessions[user.pk]}".encode()
        headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
        communicator = WebsocketCommunicator(application, "/ws/library/", headers=headers)
        assert (await communicator.connect(timeout=5))[0]
        assert await communicator.receive_json_from(timeout=5) == {"type": "open"}
        return communicator

    return opened


async def in_thread(action, *arguments, **named):
    return await database_sync_to_async(action)(*arguments, **named)


async def test_readers_of_a_collection_hear_of_its_documents(socket, cast, add):
    reader = await socket(cast.member)
    document = await in_thread(add, TEXT)
    frames = []
    while not frames or frames[-1]["status"] != "ready":
        frames.append(await reader.receive_json_from(timeout=20))
    assert {frame["id"] for frame in frames} == {str(document.pk)}
    assert frames[-1]["said"] == "Ready"
    await reader.disconnect()


async def test_strangers_hear_nothing(socket, cast, add):
    stranger = await socket(cast.stranger)
    await in_thread(add, TEXT)
    assert await stranger.receive_nothing(timeout=0.5)
    await stranger.disconnect()


async def test_a_reader_who_lost_the_collection_hears_nothing(socket, cast, add, people):
    reader = await socket(cast.member)
    await in_thread(people.groups.clear)
    await in_thread(add, TEXT)
    assert await reader.receive_nothing(timeout=0.5)
    await reader.disconnect()


async def test_an_uploader_whose_document_another_has_replaced_sees_it_go(socket, cast, add, board):
    uploader = await socket(cast.stranger)
    document = await in_thread(add, TEXT, to=board, by=cast.stranger, index=False)
    assert (await uploader.receive_json_from(timeout=5))["status"] == "queued"
    await in_thread(library.replace, document, "merger.md", [b"We buy it."], cast.superuser)
    assert await uploader.receive_json_from(timeout=5) == {"type": "gone", "id": str(document.pk)}
    await in_thread(indexing.index_document, document.pk, embedder=FakeEmbedder())
    assert await uploader.receive_nothing(timeout=0.5)
    await uploader.disconnect()


@pytest.mark.parametrize("change", LOGGED_OUT)
async def test_who_is_not_logged_in_any_more_hears_nothing(socket, cast, add, change):
    reader = await socket(cast.member)
    await in_thread(change, cast.member)
    await in_thread(add, TEXT)
    told = await reader.receive_output(timeout=10)
    assert (told["type"], told["code"]) == ("websocket.close", 4401)
    await reader.disconnect()


async def test_who_is_no_superuser_any_more_hears_nothing(socket, cast, add):
    await in_thread(User.objects.filter(pk=cast.stranger.pk).update, is_superuser=True)
    reader = await socket(cast.stranger)
    await in_thread(User.objects.filter(pk=cast.stranger.pk).update, is_superuser=False)
    await in_thread(add, TEXT)
    assert await reader.receive_nothing(timeout=0.5)
    await reader.disconnect()


async def test_readers_hear_that_a_document_is_gone(socket, cast, add):
    document = await in_thread(add, TEXT)
    reader = await socket(cast.member)
    await in_thread(library.remove, document.pk)
    assert await reader.receive_json_from(timeout=10) == {"type": "gone", "id": str(document.pk)}
    await reader.disconnect()


async def test_the_socket_is_closed_to_those_without_login(db):
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    communicator = WebsocketCommunicator(application, "/ws/library/", headers=headers)
    await communicator.connect(timeout=5)
    assert (await communicator.receive_output(timeout=5))["code"] == 4401
    await communicator.disconnect()


async def test_while_redis_is_away_the_socket_is_refused_and_that_is_no_bug(
    cast, as_user, settings, tmp_path
):
    session = await in_thread(lambda: as_user(cast.member).cookies["citefirst_session"].value)
    backend = settings.CHANNEL_LAYERS["default"]["BACKEND"]
    away = {"hosts": [f"unix://{tmp_path}/nobody.sock"]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": away}}
    headers = [(b"cookie", f"citefirst_session={session}".encode())]
    communicator = WebsocketCommunicator(application, "/ws/library/", headers=headers)
    accepted, code = await communicator.connect(timeout=5)
    assert (accepted, code) == (False, 4503)
    await communicator.wait(timeout=5)


def test_a_collection_that_no_group_reads_says_so(librarian, people):
    assert b"no group may read it yet" not in librarian.get("/library/?collection=people").content
    page = librarian.post("/library/collections/", {"name": "Drafts"}, follow=True)
    assert b"no group may read it yet" in page.content
