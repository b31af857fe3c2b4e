"""Who may add, change and see documents in the pages and the HTTP interface. Reading goes by
`access.scope_for`."""

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from retrieval.access import scope_for
from retrieval.models import Collection, Document

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

LIBRARIANS = "Librarians"
LIBRARIAN_PERMISSIONS = (
    "add_document",
    "change_document",
    "delete_document",
    "view_document",
    "add_collection",
)


def ensure_librarians(sender: AppConfig, using: str, **_: Any) -> None:
    """Makes the group of those who keep the library, once; an administrator may change it afterwards."""
    create_permissions(sender, verbosity=0, using=using)
    group, created = Group.objects.using(using).get_or_create(name=LIBRARIANS)
    if created:
        group.permissions.set(
            Permission.objects.using(using).filter(
                content_type__app_label="retrieval", codename__in=LIBRARIAN_PERMISSIONS
            )
        )


def may_add_documents(user: "User | AnonymousUser") -> bool:
    return user.is_active and user.has_perm("retrieval.add_document")


def may_create_collections(user: "User | AnonymousUser") -> bool:
    return user.is_active and user.has_perm("retrieval.add_collection")


def readable_collections(user: "User | AnonymousUser") -> QuerySet[Collection]:
    return Collection.objects.filter(id__in=scope_for(user).collection_ids, scratch=False)


def writable_collections(user: "User | AnonymousUser") -> QuerySet[Collection]:
    """Those the user may add to: what they read, and what they made themselves and no group reads yet."""
    if not may_add_documents(user):
        return Collection.objects.none()
    readable = Q(id__in=scope_for(user).collection_ids)
    return Collection.objects.filter(readable | Q(created_by=user.pk), scratch=False)


def readable_documents(user: "User | AnonymousUser") -> QuerySet[Document]:
    """Those whose content the user may see."""
    return Document.objects.filter(
        collection_id__in=scope_for(user).collection_ids, collection__scratch=False
    )


def visible_documents(user: "User | AnonymousUser") -> QuerySet[Document]:
    """Those whose state the user may follow: what they read, and their own uploads."""
    if user.pk is None or not user.is_active:
        return Document.objects.none()
    readable = Q(collection_id__in=scope_for(user).collection_ids)
    return Document.objects.filter(readable | Q(uploaded_by=user.pk), collection__scratch=False)


def may_change(user: "User | AnonymousUser", document: Document) -> bool:
    return user.has_perm("retrieval.change_document") and _kept(user).filter(pk=document.pk).exists()


def may_delete(user: "User | AnonymousUser", document: Document) -> bool:
    return user.has_perm("retrieval.delete_document") and _kept(user).filter(pk=document.pk).exists()


def _kept(user: "User | AnonymousUser") -> QuerySet[Document]:
    """Those that stand where the user reads, or in a collection of the user's own making. An upload is not enough:
    others may have replaced it since, and who moves it to where they read would read that."""
    readable = Q(collection_id__in=scope_for(user).collection_ids)
    return visible_documents(user).filter(readable | Q(collection__created_by=user.pk))
