"""Administration of runs, profiles and tokens. Runs can be followed but not read: who administers accounts
need not be allowed to see what answers quote."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

from answering.models import ApiToken, Profile, Run

if TYPE_CHECKING:  # the generic exists in the stubs only
    RunAdminBase = admin.ModelAdmin[Run]
    ProfileAdminBase = admin.ModelAdmin[Profile]
    TokenAdminBase = admin.ModelAdmin[ApiToken]
else:
    RunAdminBase = ProfileAdminBase = TokenAdminBase = admin.ModelAdmin


class ReadOnly:
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(ReadOnly, RunAdminBase):
    list_display = ("id", "user", "status", "finish", "route", "first_token_ms", "total_ms", "created_at")
    list_filter = ("status", "finish", "route", "priority")
    date_hierarchy = "created_at"
    list_select_related = ("user",)
    fields: ClassVar = [
        "id", "user", "collections", "fresh", "priority", "status", "owner", "attempt", "finish", "route",
        "degraded", "error", "first_citation_ms", "first_token_ms", "usable_ms", "total_ms", "created_at",
        "finished_at",
    ]  # fmt: skip

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
