"""What ends a login while its pages are open."""

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone


def log_out(user):
    """Here, and in again elsewhere."""
    Session.objects.all().delete()
    Client().force_login(user)


def expire(user):
    Session.objects.update(expire_date=timezone.now())


def switch_off(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user):
    user.set_password("new")
    user.save()


def delete(user):
    User.objects.filter(pk=user.pk).delete()


LOGGED_OUT = (log_out, expire, switch_off, change_password, delete)
