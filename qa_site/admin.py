"""Administration of users, as Django has it, but that they can be deleted while they ask and upload."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:  # the generic exists in the stubs only
    UserAdminBase = DjangoUserAdmin[User]
else:
    UserAdminBase = DjangoUserAdmin

admin.site.unregister(User)


@admin.register(User)
class UserAdmin(UserAdminBase):
    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Locked before it is looked up what is theirs: nothing of theirs can come after that look."""
        with transaction.atomic():
            chosen = list(queryset.values_list("pk", flat=True))
            list(User.objects.select_for_update().filter(pk__in=chosen).order_by("pk").values("pk"))
            User.objects.filter(pk__in=chosen).delete()
