"""`manage.py reindex --documents`, where no worker runs: as after an upgrade that reads files better."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from retrieval import library
from retrieval.ingestion import indexing, storage
from retrieval.models import Chunk, Document

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "You get 25 days of annual leave."


@pytest.fixture
def misread():
    """A document of each of two collections, as an earlier version had read them."""
    for slug in ("people", "papers"):
        collection = library.create_collection(None, slug)
        document = library.add(None, collection, "leave.md", [f"# Leave\n\n{TEXT}\n".encode()])
        indexing.index_document(document.pk)
    Chunk.objects.update(text="Y o u g e t", content_hash="0" * 32)
    return Document.objects.in_bulk()


def read_anew(*arguments: str) -> tuple[int, str, str]:
    """Its exit status and what it says."""
    out, errors = StringIO(), StringIO()
    status = 0
    try:
        call_command("reindex", "--documents", *arguments, verbosity=0, stdout=out, stderr=errors)
    except SystemExit as end:
        status = int(str(end.code))
    return status, out.getvalue(), errors.getvalue()


def texts(slug: str) -> list[str]:
    return list(Chunk.objects.filter(collection__slug=slug).values_list("text", flat=True))


def test_every_document_is_read_from_its_file_again(misread):
    assert read_anew() == (0, "2 of 2 documents were read again.\n", "")
    assert texts("people") == texts("papers") == [TEXT]
    for document in Document.objects.all():
        assert document.status == "ready"
        assert document.ready_at > misread[document.pk].ready_at


def test_one_collection_can_be_read_again(misread):
    assert read_anew("--collection", "papers") == (0, "1 of 1 documents were read again.\n", "")
    assert texts("papers") == [TEXT]
    assert texts("people") == ["Y o u g e t"]


def test_what_cannot_be_read_any_more_keeps_its_text_and_is_named(misread):
    document = Document.objects.get(collection__slug="people")
    storage.path_of(document.content_hash).write_bytes(b"%PDF-1.7\nand nothing more")
    status, out, errors = read_anew("--collection", "people")
    assert (status, out) == (1, "0 of 1 documents were read again.\n")
    document.refresh_from_db()
    assert errors == f"leave.md: {document.reason}\n"
    assert texts("people") == ["Y o u g e t"]


def test_a_collection_that_is_not_there_is_named(misread):
    with pytest.raises(CommandError, match="There is no collection 'papres'"):
        read_anew("--collection", "papres")
    with pytest.raises(CommandError, match="goes with --documents"):
        call_command("reindex", "--collection", "papers")
