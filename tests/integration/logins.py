"""What ends a login while its pages are open."""

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session


def log_out(user):
    Session.objects.all().delete()


def switch_off(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user):
    user.set_password("new")
    user.save()


def delete(user):
    User.objects.filter(pk=user.pk).delete()


LOGGED_OUT = (log_out, switch_off, change_password, delete)
