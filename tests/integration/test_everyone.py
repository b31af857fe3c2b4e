import pytest
from django.contrib.auth.models import Group, User

from qa_site import sample_handbook
from qa_site.everyone import EVERYONE
from retrieval.access import scope_for
from retrieval.models import Collection, Document

pytestmark = pytest.mark.django_db


def test_a_new_user_joins_the_group_of_everyone():
    group = Group.objects.create(name=EVERYONE)
    ada = User.objects.create_user("ada")
    assert list(ada.groups.all()) == [group]


def test_without_that_group_a_new_user_joins_nothing():
    ada = User.objects.create_user("ada")
    assert not ada.groups.exists()
    assert not Group.objects.filter(name=EVERYONE).exists()


def test_a_user_who_left_the_group_stays_out():
    group = Group.objects.create(name=EVERYONE)
    ada = User.objects.create_user("ada")
    ada.groups.remove(group)
    ada.save()
    assert not ada.groups.exists()


def test_the_sample_handbook_is_for_everyone_before_and_after():
    ada = User.objects.create_user("ada")
    assert sample_handbook.add() == Document.objects.count() == 12
    bob = User.objects.create_user("bob")
    handbook = Collection.objects.get(slug="handbook")
    assert handbook.pk in scope_for(ada)
    assert handbook.pk in scope_for(bob)


def test_the_sample_handbook_is_added_once():
    sample_handbook.add()
    sample_handbook.add()
    assert Document.objects.count() == 12
