"""What a start says of the state of the database."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from qa_site.up import migrate

pytestmark = pytest.mark.django_db


def test_a_database_that_is_up_to_date_is_no_matter():
    said = []
    migrate(said.append)
    assert said == []


def test_a_database_of_a_newer_version_is_told():
    MigrationRecorder(connection).record_applied("retrieval", "9999_of_next_year")
    said = []
    migrate(said.append)
    assert len(said) == 1
    assert "newer Citefirst (it has retrieval.9999_of_next_year)" in said[0]


def test_an_upgrade_is_told_and_done():
    call_command("migrate", "retrieval", "0003_repeated_chunks", verbosity=0)
    said = []
    migrate(said.append)
    assert len(said) == 1
    assert said[0].startswith("Bringing the database up to date (")
    said.clear()
    migrate(said.append)
    assert said == []
