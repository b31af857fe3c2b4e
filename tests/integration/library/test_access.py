"""Who may do what, on every endpoint and page: a superuser, a librarian and a member of People, a stranger."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from answering import tokens
from retrieval import library
from retrieval.ingestion import indexing
from retrieval.models import Chunk, Collection, Document
from tests.integration.library.conftest import FakeEmbedder
from tests.unit.ingestion import samples

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "# Leave\n\nYou get 25 days of annual leave.\n"
PAPER = samples.pdf([["# Leave", "You get 25 days of annual leave."], ["# Pay", "You are paid each month."]])
EVERYONE = ("superuser", "librarian", "member", "stranger")


def upload(text: str = TEXT, name: str = "leave.md") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


@pytest.fixture
def document(add, cast) -> Document:
    return add(TEXT, "leave.md")


@pytest.fixture
def api(cast):
    """Calls the HTTP interface as somebody of the cast; gives status and JSON."""

    def call(who: str, method: str, path: str, **data):
        token = tokens.create(getattr(cast, who))
        client = Client(headers={"Authorization": f"Bearer {token}"})
        if method == "put":
            response = client.put(path, encode_multipart(BOUNDARY, data), MULTIPART_CONTENT)
        else:
            response = getattr(client, method)(path, data)
        return response.status_code, response.json() if response.content else None

    return call


def statuses(call) -> dict[str, int]:
    return {who: call(who) for who in EVERYONE}


# ---- the HTTP interface


def test_only_people_with_access_may_follow_a_document(api, document):
    path = f"/api/v1/documents/{document.pk}"
    found = statuses(lambda who: api(who, "get", path)[0])
    assert found == {"superuser": 200, "librarian": 200, "member": 200, "stranger": 404}


def test_a_followed_document_tells_status_progress_reason_and_chunks(api, document):
    _, state = api("member", "get", f"/api/v1/documents/{document.pk}")
    assert {key: state[key] for key in ("status", "progress", "reason", "chunks")} == {
        "status": "ready",
        "progress": 100,
        "reason": "",
        "chunks": 1,
    }


def test_a_document_that_may_not_be_seen_is_answered_like_one_that_does_not_exist(api, document):
    hidden = api("stranger", "get", f"/api/v1/documents/{document.pk}")
    missing = api("stranger", "get", "/api/v1/documents/00000000-0000-0000-0000-000000000000")
    assert (
        hidden == missing == (404, {"error": {"code": "not_found", "message": "There is no such document."}})
    )


def test_only_librarians_may_add(api, people):
    found = statuses(
        lambda who: api(who, "post", "/api/v1/documents", file=upload(name=f"{who}.md"), collection="people")[
            0
        ]
    )
    assert found == {"superuser": 202, "librarian": 202, "member": 403, "stranger": 403}


def test_an_added_file_is_accepted_with_its_page(api, people):
    _, body = api("librarian", "post", "/api/v1/documents", file=upload(), collection="people")
    assert body == {"id": body["id"], "status": "queued", "url": f"/d/{body['id']}/"}


def test_a_librarian_may_not_add_where_they_may_not_read(api, board):
    assert api("librarian", "post", "/api/v1/documents", file=upload(), collection="board")[0] == 404
    assert not Document.objects.exists()


def test_a_new_collection_is_made_by_its_first_document_and_read_by_superusers_alone(api, cast):
    status, body = api("librarian", "post", "/api/v1/documents", file=upload(), collection="new-one")
    assert status == 202
    collection = Collection.objects.get(slug="new-one")
    assert (collection.created_by, collection.groups.count()) == (cast.librarian, 0)
    found = statuses(lambda who: api(who, "get", f"/api/v1/documents/{body['id']}")[0])
    assert found == {"superuser": 200, "librarian": 200, "member": 404, "stranger": 404}


@pytest.mark.parametrize("slug", ["", "Not a slug", "../x", "-"])
def test_a_collection_needs_a_usable_name(api, slug):
    status, _ = api("superuser", "post", "/api/v1/documents", file=upload(), collection=slug)
    assert status in {404, 422}
    assert not Collection.objects.filter(slug=slug).exists()


def test_a_file_over_the_limit_is_refused_by_how_much(api, people, settings):
    settings.MAX_DOCUMENT_MB = 1
    status, body = api(
        "librarian", "post", "/api/v1/documents", file=upload("x" * 2**21), collection="people"
    )
    assert (status, body["error"]["code"]) == (413, "too_large")
    assert "2.0 MB, over the limit of 1.0 MB" in body["error"]["message"]


def test_only_librarians_may_replace(api, document):
    path = f"/api/v1/documents/{document.pk}"
    found = statuses(lambda who: api(who, "put", path, file=upload(f"New text of {who}."))[0])
    assert found == {"superuser": 202, "librarian": 202, "member": 403, "stranger": 404}
    document.refresh_from_db()
    assert document.status == "queued"


@pytest.mark.parametrize(
    ("who", "status"), [("superuser", 204), ("librarian", 204), ("member", 403), ("stranger", 404)]
)
def test_only_librarians_may_delete(api, document, who, status):
    assert api(who, "delete", f"/api/v1/documents/{document.pk}")[0] == status
    assert Document.objects.exists() == (status != 204)


def test_a_group_that_loses_a_collection_loses_its_documents_at_once(api, document, people):
    people.groups.clear()
    assert api("member", "get", f"/api/v1/documents/{document.pk}")[0] == 404


def test_an_account_that_is_switched_off_sees_nothing(cast, as_user, document):
    client = as_user(cast.member)
    User.objects.filter(pk=cast.member.pk).update(is_active=False)
    assert client.get(f"/d/{document.pk}/").status_code in {302, 404}


@pytest.fixture
def no_database():
    """Every statement fails, as when Postgres is restarted."""

    def fail(execute, sql, params, many, context):
        raise OperationalError("terminating connection due to administrator command")

    with connection.execute_wrapper(fail):
        yield


@pytest.mark.expects_errors
def test_without_postgres_the_interface_says_to_try_again(no_database):
    headers = {"Authorization": "Bearer cf_any"}
    response = Client(headers=headers).get("/api/v1/documents/00000000-0000-0000-0000-000000000000")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert response["Retry-After"]


# ---- the pages


def pages(cast, as_user, path: str, method: str = "get", **data) -> dict[str, int]:
    return statuses(lambda who: getattr(as_user(getattr(cast, who)), method)(path, data).status_code)


def test_the_library_is_for_people_who_may_add(cast, as_user):
    found = pages(cast, as_user, "/library/")
    assert found == {"superuser": 200, "librarian": 200, "member": 403, "stranger": 403}


def test_the_library_shows_only_collections_of_the_librarian(cast, as_user, document, board):
    page = as_user(cast.librarian).get("/library/").content.decode()
    assert "People" in page
    assert "Board" not in page
    assert as_user(cast.librarian).get("/library/?collection=board").status_code == 404


def test_a_librarian_sees_only_their_own_where_they_may_not_read(cast, as_user, add, board):
    mine = add(TEXT, to=board, by=cast.librarian)
    add("# Merger\n\nWe buy it.\n", "merger.md", to=board)
    client = as_user(cast.librarian)
    context = client.get("/library/?collection=board").context
    assert [document.pk for document in context["page"]] == [mine.pk]
    assert [each.counted for each in context["collections"] if each.slug == "board"] == [1]
    told = client.get("/library/states/?collection=board").json()
    assert [document["id"] for document in told["documents"]] == [str(mine.pk)]
    assert {"slug": "board", "documents": 1, "failed": 0} in told["collections"]


def test_who_may_only_add_documents_makes_no_collections(cast, as_user, api):
    cast.member.user_permissions.add(Permission.objects.get(codename="add_document"))
    made = as_user(cast.member).post("/library/collections/", {"name": "Rules"})
    sent = api("member", "post", "/api/v1/documents", file=upload(), collection="rules")
    assert (made.status_code, sent[0]) == (403, 404)
    assert not Collection.objects.filter(slug="rules").exists()


def test_a_document_is_read_by_those_with_access(cast, as_user, document):
    found = pages(cast, as_user, f"/d/{document.pk}/")
    assert found == {"superuser": 200, "librarian": 200, "member": 200, "stranger": 404}


def body(response) -> bytes:
    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(read)()


def test_an_original_is_downloaded_by_those_with_access(cast, as_user, document):
    found = {}
    for who in EVERYONE:
        response = as_user(getattr(cast, who)).get(f"/d/{document.pk}/file")
        found[who] = response.status_code
        if response.streaming:
            assert body(response).decode() == TEXT
    assert found == {"superuser": 200, "librarian": 200, "member": 200, "stranger": 404}


def test_a_name_comes_and_goes_with_the_file_that_it_names(cast, as_user, document):
    library.replace(document, "new.pdf", [b"You get 30 days."])

    def downloaded() -> tuple[str, bytes]:
        response = as_user(cast.member).get(f"/d/{document.pk}/file")
        return response["Content-Disposition"], body(response)

    assert downloaded() == ('attachment; filename="leave.md"', TEXT.encode())
    assert "leave.md" in as_user(cast.member).get(f"/d/{document.pk}/").content.decode()
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert downloaded() == ('attachment; filename="new.pdf"', b"You get 30 days.")


WHOLE = TEXT.encode()
PARTS = {
    "bytes=5-9": (206, WHOLE[5:10], f"bytes 5-9/{len(WHOLE)}"),
    "bytes=5-": (206, WHOLE[5:], f"bytes 5-{len(WHOLE) - 1}/{len(WHOLE)}"),
    "bytes=-3": (206, WHOLE[-3:], f"bytes {len(WHOLE) - 3}-{len(WHOLE) - 1}/{len(WHOLE)}"),
    "bytes=0-1,4-5": (200, WHOLE, None),
    "bytes=900000-": (416, b"", f"bytes */{len(WHOLE)}"),
}


@pytest.mark.parametrize("asked", PARTS)
def test_a_part_of_an_original_is_downloaded(cast, as_user, document, asked):
    response = as_user(cast.member).get(f"/d/{document.pk}/file", headers={"Range": asked})
    given = body(response) if response.streaming else response.content
    assert (response.status_code, given, response.headers.get("Content-Range")) == PARTS[asked]
    assert response["Accept-Ranges"] == "bytes"
    assert response["Cache-Control"] == "private, no-store"
    assert int(response.headers.get("Content-Length", 0)) == len(given)


@pytest.mark.parametrize(("asked", "status"), [("bytes=0-0", 206), ("bytes=900000-", 416)])
def test_a_part_is_downloaded_by_those_with_access(cast, as_user, client, document, asked, status):
    def answered(reader) -> int:
        return reader.get(f"/d/{document.pk}/file", headers={"Range": asked}).status_code

    found = {who: answered(as_user(getattr(cast, who))) for who in EVERYONE}
    assert found == {"superuser": status, "librarian": status, "member": status, "stranger": 404}
    client.logout()
    assert answered(client) == 302


def test_who_loses_access_gets_no_further_part(cast, as_user, document):
    def part() -> int:
        return as_user(cast.member).get(f"/d/{document.pk}/file", headers={"Range": "bytes=0-0"}).status_code

    assert part() == 206
    cast.member.groups.clear()
    assert part() == 404


def test_a_part_of_another_version_is_not_joined_to_this_one(cast, as_user, document):
    def part(tag: str) -> tuple[int, bytes]:
        headers = {"Range": "bytes=4-", "If-Range": tag}
        response = as_user(cast.member).get(f"/d/{document.pk}/file", headers=headers)
        return response.status_code, body(response)

    tag = as_user(cast.member).get(f"/d/{document.pk}/file")["ETag"]
    assert part(tag) == (206, WHOLE[4:])
    library.replace(document, "new.pdf", [b"You get 30 days."])
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert part(tag) == (200, b"You get 30 days.")
    assert part("Wed, 21 Oct 2015 07:28:00 GMT") == (200, b"You get 30 days.")


def test_the_size_of_an_original_is_told_without_reading_it(cast, as_user, document):
    response = as_user(cast.member).head(f"/d/{document.pk}/file", headers={"Range": "bytes=0-0"})
    assert (response.status_code, response["Content-Length"]) == (200, str(len(WHOLE)))
    assert not response.streaming


def test_an_original_is_never_a_page_of_ours(cast, as_user, document):
    response = as_user(cast.member).get(f"/d/{document.pk}/file")
    assert body(response)
    assert response["Content-Disposition"] == 'attachment; filename="leave.md"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_a_pdf_is_shown_by_those_with_access_and_anything_else_as_text(cast, as_user, client, add):
    paper = add(PAPER, "leave.pdf")
    path = f"/d/{paper.pk}/pdf"
    assert pages(cast, as_user, path) == {"superuser": 200, "librarian": 200, "member": 200, "stranger": 404}
    assert client.get(f"{path}?chunk=7")["Location"] == f"/accounts/login/?next={path}%3Fchunk%3D7"
    shown = as_user(cast.member).get(path, headers={"Range": "bytes=0-3"})
    assert (shown.status_code, body(shown)) == (206, b"%PDF")
    assert shown["Content-Type"] == "application/pdf"
    assert shown["Content-Disposition"] == 'inline; filename="leave.pdf"'
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in shown["Content-Security-Policy"]
    assert as_user(cast.member).get(path, headers={"Range": "bytes=900000-"}).status_code == 416
    download = as_user(cast.member).get(f"/d/{paper.pk}/file")
    assert (body(download)[:4], download["Content-Type"]) == (b"%PDF", "application/octet-stream")
    assert download["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("text", [TEXT, "<html><script>alert(1)</script><p>You get 25 days.</p>", "  "])
def test_what_only_calls_itself_a_pdf_is_not_shown_as_one(cast, as_user, add, text):
    other = add(text, "leave.pdf")
    response = as_user(cast.member).get(f"/d/{other.pk}/pdf?chunk=7")
    assert response["Location"] == f"/d/{other.pk}/?chunk=7"
    assert "Open the PDF" not in as_user(cast.member).get(f"/d/{other.pk}/").text


def test_a_replacement_is_shown_as_a_pdf_once_it_is_what_is_found(cast, as_user, add, document):
    def status() -> int:
        return as_user(cast.member).get(f"/d/{document.pk}/pdf").status_code

    library.replace(document, "leave.pdf", [PAPER])
    assert status() == 302
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert status() == 200
    library.replace(document, "leave.md", [TEXT.encode()])
    assert status() == 200
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert status() == 302


def test_the_page_of_a_pdf_leads_to_the_page_of_a_passage(cast, as_user, add):
    paper = add(PAPER, "leave.pdf")
    chunk = Chunk.objects.filter(document=paper, page__isnull=False).last()
    page = as_user(cast.member).get(f"/d/{paper.pk}/?chunk={chunk.pk}").text
    assert f'href="/d/{paper.pk}/pdf#page={chunk.page}"' in page
    assert f"Open the PDF at page {chunk.page}" in page


def test_a_stranger_without_login_is_sent_to_log_in(document, client):
    response = client.get(f"/d/{document.pk}/file")
    assert response["Location"].startswith("/accounts/login/")


def test_an_uploader_who_may_not_read_follows_but_does_not_read(cast, as_user, api, add, board):
    document = add(TEXT, to=board, by=cast.librarian)
    assert api("librarian", "get", f"/api/v1/documents/{document.pk}")[0] == 200
    assert as_user(cast.librarian).get(f"/d/{document.pk}/").status_code == 404
    assert as_user(cast.librarian).get(f"/d/{document.pk}/file").status_code == 404


@pytest.mark.parametrize("action", ["replace", "move"])
def test_an_uploader_does_not_follow_what_others_have_made_of_a_document(
    cast, as_user, api, add, people, board, action
):
    document = add(TEXT, by=cast.librarian)
    cast.librarian.groups.remove(people.groups.get())
    assert api("librarian", "get", f"/api/v1/documents/{document.pk}")[0] == 200
    file = upload("# Merger\n\nWe buy it.\n", "merger.md")
    as_user(cast.superuser).post(
        f"/library/{document.pk}/{action}/",
        {"file": file} if action == "replace" else {"collection": "board"},
    )
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert api("librarian", "get", f"/api/v1/documents/{document.pk}")[0] == 404
    page = as_user(cast.librarian).get("/library/").text
    assert not any(told in page for told in ("Merger", "merger.md", "Board", str(document.pk)))
    document.refresh_from_db()
    assert document.uploaded_by == cast.superuser


def test_a_document_that_its_uploader_replaces_stays_theirs(cast, as_user, api, add, board):
    mine = Collection.objects.create(slug="mine", created_by=cast.librarian)
    document = add(TEXT, to=mine, by=cast.librarian)
    path = f"/api/v1/documents/{document.pk}"
    assert api("librarian", "put", path, file=upload("New.", "new.md"))[0] == 202
    assert api("librarian", "get", path)[1]["name"] == "new.md"


ACTIONS = ("retry", "replace", "move", "delete")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_uploader_who_may_not_read_any_more_changes_nothing(
    cast, as_user, api, add, board, people, action
):
    document = add(TEXT, to=board, by=cast.librarian)  # and replaced since by somebody who reads it
    path = f"/library/{document.pk}/{action}/"
    response = as_user(cast.librarian).post(path, {"collection": "people", "file": upload("other")})
    assert response.status_code == 403
    assert api("librarian", "delete", f"/api/v1/documents/{document.pk}")[0] == 403
    document.refresh_from_db()
    assert (document.collection, document.status) == (board, "ready")


def test_a_librarian_moves_what_is_in_a_collection_of_their_own_making(cast, as_user, add, people):
    mine = Collection.objects.create(slug="mine", created_by=cast.librarian)
    document = add(TEXT, to=mine, by=cast.librarian)
    as_user(cast.librarian).post(f"/library/{document.pk}/move/", {"collection": "people"})
    document.refresh_from_db()
    assert document.collection == people


def test_whoever_may_make_collections_is_told_what_their_names_are_made_of(api):
    for who, said in (("librarian", "use a-z, 0-9, - and _"), ("member", "may not add documents")):
        status, body = api(who, "post", "/api/v1/documents", file=upload(), collection="Blue!!")
        assert status in (403, 404)
        assert said in body["error"]["message"]


def test_a_name_with_a_null_character_is_no_collection(cast, as_user, api):
    assert api("librarian", "post", "/api/v1/documents", file=upload(), collection="a\0b")[0] == 404
    assert as_user(cast.librarian).get("/library/states/?collection=a%00b").json()["documents"] == []


@pytest.mark.parametrize("action", ACTIONS)
def test_members_and_strangers_may_do_nothing(cast, as_user, document, action):
    found = {}
    for who in ("member", "stranger"):
        found[who] = as_user(getattr(cast, who)).post(f"/library/{document.pk}/{action}/").status_code
    assert found == {"member": 403, "stranger": 403}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_librarian_may_do_nothing_with_documents_out_of_sight(cast, as_user, add, board, action):
    document = add(TEXT, to=board)
    path = f"/library/{document.pk}/{action}/"
    response = as_user(cast.librarian).post(path, {"collection": "people", "file": upload("other")})
    assert response.status_code == 404
    document.refresh_from_db()
    assert (document.collection, document.status) == (board, "ready")


def test_a_librarian_uploads_nothing_where_they_may_not_read(cast, as_user, board):
    sent = as_user(cast.librarian).post("/library/upload/", {"collection": "board", "file": upload()})
    assert sent.status_code in (302, 400)
    assert not Document.objects.exists()


def test_a_librarian_may_not_move_a_document_where_they_may_not_read(cast, as_user, document, board):
    response = as_user(cast.librarian).post(f"/library/{document.pk}/move/", {"collection": "board"})
    assert response.status_code == 404
    document.refresh_from_db()
    assert document.collection.slug == "people"


def test_actions_change_nothing_when_asked_by_get(cast, as_user, document):
    client = as_user(cast.superuser)
    found = {action: client.get(f"/library/{document.pk}/{action}/").status_code for action in ACTIONS}
    assert set(found.values()) == {405}


def test_a_librarian_gives_a_new_collection_to_their_own_groups_alone(cast, as_user, people):
    client = as_user(cast.librarian)
    mine = people.groups.get()
    client.post("/library/collections/", {"name": "Rules", "groups": [mine.pk]})
    assert list(Collection.objects.get(slug="rules").groups.all()) == [mine]


def test_the_administration_shows_librarians_only_the_documents_that_they_read(
    cast, as_user, document, add, board
):
    hidden = add(TEXT, "merger.md", to=board)
    User.objects.filter(pk=cast.librarian.pk).update(is_staff=True)
    client = as_user(cast.librarian)
    page = client.get("/admin/retrieval/document/")
    assert (str(document.pk) in page.text, "merger.md" in page.text, "Board" in page.text) == (
        True,
        False,
        False,
    )
    client.post(f"/admin/retrieval/document/{hidden.pk}/delete/", {"post": "yes"})
    assert Document.objects.filter(pk=hidden.pk).exists()


@pytest.mark.parametrize("by", ["its page", "the list"])
def test_who_deletes_a_collection_is_told_how_many_documents_go_and_not_which(
    as_user, add, board, by, people
):
    add("# Merger\n\nWe buy it.\n", "merger.md", to=board)
    clerk = User.objects.create_user("clerk", is_staff=True)
    allowed = Permission.objects.filter(codename__in=["view_collection", "delete_collection"])
    clerk.user_permissions.set(allowed)
    chosen = {"action": "delete_selected", "_selected_action": board.pk}

    def page() -> str:
        client = as_user(clerk)
        if by == "its page":
            return client.get(f"/admin/retrieval/collection/{board.pk}/delete/").text
        return client.post("/admin/retrieval/collection/", chosen).text

    assert "permission" in page()  # to delete documents
    clerk.user_permissions.add(Permission.objects.get(codename="delete_document"))
    assert "Documents: 1" in page()
    assert "merger" not in page().lower()


@pytest.mark.parametrize(
    "path", ["/library/", "/library/states/", "/d/00000000-0000-0000-0000-000000000000/"]
)
def test_without_login_every_page_asks_for_it(client, db, path):
    assert client.get(path)["Location"].startswith("/accounts/login/")


def test_a_librarian_says_what_languages_a_new_collection_is_in(cast, as_user):
    client = as_user(cast.librarian)
    client.post("/library/collections/", {"name": "Regeln", "languages": ["de", "fr"]})
    assert Collection.objects.get(slug="regeln").languages == ["de", "fr"]
    client.post("/library/collections/", {"name": "Unknown", "languages": ["xx"]})
    assert not Collection.objects.filter(slug="unknown").exists()


def test_a_collection_that_is_made_twice_keeps_its_readers(cast, people, board):
    assert library.create_collection(cast.librarian, "board", groups=[people.groups.get()]) == board
    assert not board.groups.exists()


def test_an_administrator_chooses_languages_that_are_known(cast, as_user, people):
    client = as_user(cast.superuser)
    page = f"/admin/retrieval/collection/{people.pk}/change/"
    given = {"name": "People", "slug": "people", "groups": [people.groups.get().pk]}
    client.post(page, {**given, "languages": ["xx"]})
    people.refresh_from_db()
    assert people.languages == []
    client.post(page, {**given, "languages": ["de", "en"]})
    people.refresh_from_db()
    assert people.languages == ["de", "en"]
    assert list(people.groups.values_list("pk", flat=True)) == given["groups"]
