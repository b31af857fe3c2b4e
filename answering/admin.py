"""Administration of runs, profiles and tokens. Runs can be followed but not read: who administers accounts
need not be allowed to see what answers quote."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from answering.models import ApiToken, Profile, Run
from answering.resilience.shedding import Priority

if TYPE_CHECKING:  # the generic exists in the stubs only
    RunAdminBase = admin.ModelAdmin[Run]
    ProfileAdminBase = admin.ModelAdmin[Profile]
    TokenAdminBase = admin.ModelAdmin[ApiToken]
    PaginatorBase = Paginator[QuerySet[Run]]
else:
    PaginatorBase = Paginator
    RunAdminBase = ProfileAdminBase = TokenAdminBase = admin.ModelAdmin


class ReadOnly:
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


NEWEST = 10_000
"""Runs that the list leads to. To count more, or to page through them, takes longer the more there are."""

NAMED = 100
"""Runs that are named before they are deleted; the others are counted."""


class Newest(PaginatorBase):
    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list[:NEWEST]
        return int(rows.count())


def one_of(column: str, *values: str) -> type[admin.SimpleListFilter]:
    """A filter by these values. Django's own asks for those that there are, and reads every row for it."""

    class OneOf(admin.SimpleListFilter):
        title = parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
            return [(value, value) for value in values]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
            return queryset.filter(**{column: self.value()}) if self.value() in values else queryset

    return OneOf


@admin.register(Run)
class RunAdmin(ReadOnly, RunAdminBase):
    list_display = ("id", "user", "status", "finish", "route", "first_token_ms", "total_ms", "created_at")
    list_filter = (
        "status",
        one_of("finish", "complete", "extractive", "cached", "partial", "stopped", "refused"),
        one_of("route", "hybrid", "lexical", "vector", "cached"),
        one_of("priority", *(priority.label for priority in Priority)),
        "created_at",
    )
    ordering = ("-created_at",)
    sortable_by = ("created_at",)  # by another column all of them would be sorted
    show_facets = admin.ShowFacets.NEVER
    paginator = Newest
    show_full_result_count = False
    actions_selection_counter = False  # nor its link that selects more than are shown
    list_select_related = ("user",)
    fields: ClassVar = [
        "id", "user", "collections", "fresh", "priority", "status", "owner", "attempt", "finish", "route",
        "degraded", "error", "first_citation_ms", "first_token_ms", "usable_ms", "total_ms", "created_at",
        "finished_at",
    ]  # fmt: skip

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = f"Runs: the newest {NEWEST:,} that fit"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Without what is not shown: for a page of a hundred that would be a megabyte."""
        return (
            super()
            .get_queryset(request)
            .defer("question", "answer", "html", "gist", "citations", "cited", "stages", "events")
        )

    def get_deleted_objects(
        self, objs: QuerySet[Run] | Sequence[Run], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Nothing hangs on a run."""
        names = [str(run) for run in objs[:NAMED]]
        count = objs.count() if isinstance(objs, QuerySet) else len(names)
        return names, {"runs": count}, set(), []

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By what is shown alone: `?answer__startswith=T` would tell an answer letter by letter."""
        return lookup.split(LOOKUP_SEP)[0] in self.fields and super().lookup_allowed(lookup, value, request)


@admin.register(Profile)
class ProfileAdmin(ProfileAdminBase):
    list_display = ("user", "role", "location")
    search_fields = ("user__username", "role", "location")
    autocomplete_fields = ("user",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, TokenAdminBase):
    """Made by `manage.py createtoken`, which shows the token once; here it can be looked at and withdrawn."""

    list_display = ("user", "created_at", "last_used_at")
    list_select_related = ("user",)
    fields: ClassVar = ["user", "created_at", "last_used_at"]
