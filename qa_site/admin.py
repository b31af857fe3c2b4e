"""Administration of users, as Django has it, but that they can be deleted while they ask and upload, and with years of
questions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import CASCADE, QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:  # the generic exists in the stubs only
    UserAdminBase = DjangoUserAdmin[User]
else:
    UserAdminBase = DjangoUserAdmin

admin.site.unregister(User)


@admin.register(User)
class UserAdmin(UserAdminBase):
    def get_deleted_objects(
        self, objs: Iterable[User], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """How much goes with them, and not what: Django reads all of it to list it, answers and all."""
        going = [user.pk for user in objs]
        counts, refused = {"users": len(going)}, set()
        for relation in User._meta.related_objects:
            if relation.on_delete is not CASCADE:
                continue
            model = relation.related_model
            count = model._base_manager.filter(**{f"{relation.field.name}__in": going}).count()
            if count:
                counts[str(model._meta.verbose_name_plural)] = count
                registered = self.admin_site._registry.get(model)
                if registered and not registered.has_delete_permission(request):
                    refused.add(str(model._meta.verbose_name))
        return [str(user) for user in objs], counts, refused, []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Locked before it is looked up what is theirs: nothing of theirs can come after that look."""
        with transaction.atomic():
            chosen = list(queryset.values_list("pk", flat=True))
            list(User.objects.select_for_update().filter(pk__in=chosen).order_by("pk").values("pk"))
            User.objects.filter(pk__in=chosen).delete()
