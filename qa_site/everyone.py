"""The group of everyone: a new user joins it, so a collection given to it is read by all. Without the group
(delete it in the admin) nobody joins anything."""

from django.contrib.auth.models import Group, User

EVERYONE = "Everyone"


def join_everyone(sender: type[User], instance: User, created: bool, raw: bool, **_: object) -> None:
    """Receives `post_save` of users. `raw`: a fixture is loading, which brings its own groups."""
    if created and not raw:
        instance.groups.add(*Group.objects.filter(name=EVERYONE))
