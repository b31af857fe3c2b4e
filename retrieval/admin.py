"""Administration of collections and documents: who reads what. Documents are added and replaced in the library."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from retrieval import library, permissions
from retrieval.forms import CollectionAdminForm
from retrieval.models import Collection, Document

if TYPE_CHECKING:  # the generic exists in the stubs only
    CollectionAdminBase = admin.ModelAdmin[Collection]
    DocumentAdminBase = admin.ModelAdmin[Document]
else:
    CollectionAdminBase = DocumentAdminBase = admin.ModelAdmin


@admin.register(Collection)
class CollectionAdmin(CollectionAdminBase):
    list_display = ("name", "slug", "readers", "created_by", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("name", "slug")
    filter_horizontal = ("groups",)
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    form = CollectionAdminForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Collection]:
        return super().get_queryset(request).filter(scratch=False).prefetch_related("groups")

    def get_deleted_objects(
        self, objs: Iterable[Collection], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """How many documents go with it, and not which: who deletes it need not read it."""
        going = list(objs)
        count = Document.objects.filter(collection__in=going).count()
        may = not count or request.user.has_perm("retrieval.delete_document")
        counts = {"collections": len(going), "documents": count}
        return [str(each) for each in going], counts, set() if may else {"document"}, []

    def delete_model(self, request: HttpRequest, obj: Collection) -> None:
        library.remove_collection(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        for collection in queryset:
            library.remove_collection(collection)

    @admin.display(description="Read by")
    def readers(self, collection: Collection) -> str:
        return ", ".join(group.name for group in collection.groups.all()) or "superusers alone"


class ReadableCollection(admin.SimpleListFilter):
    """Django's own looks at every document for which collections there are."""

    title = "collection"
    parameter_name = "collection"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(str(each.pk), str(each)) for each in permissions.readable_collections(request.user)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> QuerySet[Document]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(collection=int(value)) if value.isdecimal() else queryset.none()


@admin.register(Document)
class DocumentAdmin(DocumentAdminBase):
    list_display = ("name", "collection", "status", "chunk_count", "uploaded_by", "created_at")
    list_filter = ("status", ReadableCollection)
    list_select_related = ("collection", "uploaded_by")
    show_facets = admin.ShowFacets.NEVER  # they count all documents for each collection
    show_full_result_count = False
    search_fields = ("name", "title")
    fields = (
        "name",
        "title",
        "collection",
        "status",
        "reason",
        "size",
        "media_type",
        "chunk_count",
        "page_count",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        """Those that the user reads: librarians may be staff, too."""
        readable = permissions.readable_collections(request.user)
        return super().get_queryset(request).filter(collection__in=list(readable))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
