"""What people do with documents: add, replace, retry, move, delete. The pages, the HTTP interface and the
`ingest` command all come here; who may do it is asked before, with `permissions`."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_delete
from django.utils import timezone
from django.utils.text import slugify

from retrieval.errors import CollectionGone
from retrieval.ingestion import indexing, progress, storage
from retrieval.models import Chunk, Collection, Document
from retrieval.tasks import queue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_Status = Document.Status
_NAME_MOST = 400


def add(user: "User | None", collection: Collection, name: str, pieces: Iterable[bytes]) -> Document:
    """Stores a file and queues it. The same content under the same name is not added twice: the document
    that is there is returned, and tried again if it had failed. Raises DocumentTooLarge, NoRoom, CollectionGone."""
    name = file_name(name)
    with _collection_may_go(), storage.stored(pieces) as stored:
        same = Document.objects.filter(collection=collection, name=name, content_hash=stored.content_hash)
        document = same.select_for_update().first()
        if document is None:
            document = Document.objects.create(
                collection=collection,
                name=name,
                content_hash=stored.content_hash,
                size=stored.size,
                uploaded_by=user,
                heartbeat_at=timezone.now(),
            )
            _queue(document)
        elif document.status == _Status.FAILED:
            _requeue(document)
    return document


def replace(document: Document, name: str, pieces: Iterable[bytes], by: "User | None" = None) -> None:
    """New content for a document; the old stays searchable until the new is ready. Raises DocumentTooLarge,
    and Document.DoesNotExist when it was deleted meanwhile."""
    with storage.stored(pieces) as stored:
        document = Document.objects.select_for_update().get(pk=document.pk)
        before = document.content_hash
        document.name, document.size = file_name(name), stored.size
        document.content_hash = stored.content_hash
        _take_over(document, by)
        document.save(update_fields=["name", "size", "content_hash", "uploaded_by", "changed_at"])
        _requeue(document)
        transaction.on_commit(lambda: _forget_files([before]))


def retry(document: Document) -> None:
    """Queues a document that failed, or that somebody lost patience with."""
    with transaction.atomic():
        _requeue(Document.objects.select_for_update().get(pk=document.pk))


def move(document: Document, collection: Collection, by: "User | None" = None) -> None:
    """To another collection, at once: the old one's readers no longer find it when this returns. Raises
    CollectionGone, and Document.DoesNotExist when the document was deleted meanwhile."""
    with _collection_may_go(), transaction.atomic():
        document = Document.objects.select_for_update().get(pk=document.pk)
        before = document.collection_id
        if before == collection.pk:
            return
        _take_over(document, by)
        Document.objects.filter(pk=document.pk).update(
            collection=collection, uploaded_by=document.uploaded_by_id, changed_at=timezone.now()
        )
        chunks = Chunk.objects.filter(document=document)
        hashes = frozenset(chunks.values_list("content_hash", flat=True))
        chunks.update(collection=collection)  # the vectors follow, by a trigger
        with connection.cursor() as wrapped:
            indexing.note_change(wrapped.cursor, document.pk, hashes)
        user = document.uploaded_by_id
        transaction.on_commit(lambda: progress.hint(document.pk, before, user))
        transaction.on_commit(lambda: progress.hint(document.pk, collection.pk, user))


def _take_over(document: Document, by: "User | None") -> None:
    """The document is theirs who replaced or moved it last. Whose it was before may not read what it has become, nor
    where it is now, and follows it only where a group lets them."""
    collection, before = document.collection_id, document.uploaded_by_id
    document.uploaded_by = by
    if before is not None and before != document.uploaded_by_id:
        transaction.on_commit(lambda: progress.hint(document.pk, collection, before))


@contextmanager
def _collection_may_go() -> Iterator[None]:
    """Around a transaction that puts a document into a collection: whether that is still there, its end tells."""
    try:
        yield
    except IntegrityError as error:
        raise CollectionGone from error


def remove(document_id: UUID) -> None:
    """Deletes a document with all that was made of it. Work on it under way finds it gone and leaves
    nothing."""
    Document.objects.filter(pk=document_id).delete()


def create_collection(
    user: "User | None",
    slug: str,
    name: str = "",
    groups: Sequence[Group] = (),
    languages: Sequence[str] = (),
) -> Collection:
    """A collection, or the one of this slug if there is one. Without groups superusers alone read it."""
    there = named(Collection.objects.all(), slug)
    if there is not None:
        return there
    made, created = Collection.objects.get_or_create(
        slug=slug,
        defaults={
            "name": name or slug.replace("-", " ").capitalize(),
            "created_by": user,
            "languages": list(languages),
        },
    )
    if created and groups:
        made.groups.set(groups)
    return made


def remove_collection(collection: Collection) -> None:
    """Deletes a collection with its documents, those too that come in at this moment; none comes after them."""
    documents = Document.objects.filter(collection=collection)
    with transaction.atomic():
        list(documents.select_for_update().order_by("pk").values("pk"))  # first, as workers take them first
        Collection.objects.select_for_update().filter(pk=collection.pk).first()
        documents.delete()
        collection.delete()


def named(collections: QuerySet[Collection], slug: str) -> Collection | None:
    """That of the slug, in whatever case: no two have the same letters, but for those that were there before this was
    so, of which the very one is meant. The slug may be whatever somebody sent: Postgres takes no null character."""
    if "\0" in slug:
        return None
    return collections.filter(slug=slug).first() or collections.filter(slug__iexact=slug).first()


NAMED = "use a-z, 0-9, - and _"
"""What names of collections are made of, for who has given another."""


def is_slug(name: str) -> bool:
    """Whether a collection can have this name."""
    return bool(name) and name == slug_of(name)


def slug_of(name: str) -> str:
    return slugify(name)[:80].strip("-")


def file_name(name: str) -> str:
    """A file's name as it is kept: a path with slashes and nothing odd in it, the end of it if it is too
    long."""
    plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
    printable = "".join(char for char in plain if char.isprintable())
    parts = [part.strip() for part in PurePosixPath(printable).parts if part not in {"/", "..", "."}]
    return "/".join(filter(None, parts))[-_NAME_MOST:].lstrip("/ ") or "unnamed"


def _requeue(document: Document) -> None:
    document.status, document.progress, document.reason, document.attempts = _Status.QUEUED, 0, "", 0
    document.heartbeat_at = timezone.now()
    document.save(update_fields=["status", "progress", "reason", "attempts", "heartbeat_at"])
    _queue(document)


def _queue(document: Document) -> None:
    indexing.progress_after_commit(document)
    transaction.on_commit(lambda: queue(document.pk))


def _forget_files(content_hashes: Iterable[str]) -> None:
    storage.remove_unused(content_hashes)


def take_out(sender: type[Document], instance: Document, **_: object) -> None:
    """Whatever deletes a document (a page, the admin, a collection's end) takes it out of search with it."""
    Document.objects.select_for_update().filter(pk=instance.pk).first()  # a worker may be publishing it
    with connection.cursor() as wrapped:
        indexing.retire(wrapped.cursor, instance.pk)
    hashes = [instance.content_hash, instance.published_hash]
    collection, user, key = instance.collection_id, instance.uploaded_by_id, instance.pk
    transaction.on_commit(lambda: _forget_files(hashes))
    transaction.on_commit(lambda: progress.hint(key, collection, user))


pre_delete.connect(take_out, sender=Document, dispatch_uid="retrieval.take_out")
