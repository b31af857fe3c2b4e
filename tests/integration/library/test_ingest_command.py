"""`manage.py ingest` where no worker runs: it does the work itself."""

import os
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from retrieval.models import Chunk, Collection, Document

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path):
    """Two good files, one of them further down, one that is none, and one that is hidden."""
    (tmp_path / "rules" / "2026").mkdir(parents=True)
    (tmp_path / "leave.md").write_text("# Leave\n\nYou get 25 days of annual leave.\n")
    (tmp_path / "rules" / "2026" / "parking.md").write_text(
        "# Parking\n\nCars are parked behind the house.\n"
    )
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nand nothing more")
    (tmp_path / ".secret.md").write_text("hidden")
    return tmp_path


def ingest(*arguments: object) -> tuple[int, str, str]:
    """Its exit status and what it says."""
    out, errors = StringIO(), StringIO()
    status = 0
    try:
        call_command("ingest", *map(str, arguments), verbosity=0, stdout=out, stderr=errors)
    except SystemExit as end:
        status = int(str(end.code))
    return status, out.getvalue(), errors.getvalue()


def states() -> dict[str, str]:
    return dict(Document.objects.values_list("name", "status"))


def test_a_file_that_fails_is_named_with_its_reason(folder):
    status, out, errors = ingest(folder, "--collection", "people")
    assert status == 1
    assert out == "2 of 3 files are searchable in people.\n"
    (line,) = errors.splitlines()
    assert line == f"broken.pdf: {Document.objects.get(name='broken.pdf').reason}"


def test_a_folder_is_added_with_all_below_it_into_a_new_collection(folder):
    (folder / "broken.pdf").unlink()
    assert ingest(folder, "--collection", "people") == (0, "2 of 2 files are searchable in people.\n", "")
    assert states() == {"leave.md": "ready", "rules/2026/parking.md": "ready"}
    assert Collection.objects.get(slug="people").groups.count() == 0


def test_what_has_not_changed_is_left_alone_and_what_has_is_replaced(folder):
    (folder / "broken.pdf").unlink()
    ingest(folder, "--collection", "people")
    before = {each.name: each for each in Document.objects.all()}
    (folder / "leave.md").write_text("# Leave\n\nYou get 30 days of annual leave.\n")
    ingest(folder, "--collection", "people")
    after = {each.name: each for each in Document.objects.all()}
    assert {name: each.pk for name, each in after.items()} == {name: each.pk for name, each in before.items()}
    changed = {name for name in after if after[name].ready_at != before[name].ready_at}
    assert changed == {"leave.md"}


@pytest.mark.parametrize(
    ("path", "collection"),
    [("", "people"), ("leave.md", ""), ("leave.md", "Our people"), ("none.md", "people")],
)
def test_an_empty_argument_names_no_folder_and_no_collection(folder, monkeypatch, path, collection):
    """As a variable of the shell that is not set: an empty path would be the folder one stands in."""
    monkeypatch.chdir(folder)
    with pytest.raises(CommandError):
        ingest(path, "--collection", collection)
    assert not Collection.objects.exists()


def test_a_file_does_not_replace_another_of_its_name(folder):
    (folder / "rules" / "leave.md").write_text("# Leave\n\nPart-timers get 12 days.\n")
    status, out, errors = ingest(folder / "rules", folder / "leave.md", "--collection", "people")
    assert (status, out) == (1, "2 of 3 files are searchable in people.\n")
    assert f"{folder / 'leave.md'}: {folder / 'rules' / 'leave.md'} has this name, too." in errors
    assert Document.objects.get(name="leave.md").title == "Leave"
    assert Chunk.objects.filter(text__contains="12 days").exists()


def test_a_file_that_is_named_twice_is_added_once(folder):
    status, out, _ = ingest(folder / "rules", folder / "rules" / "2026", "--collection", "people")
    assert (status, out) == (0, "2 of 2 files are searchable in people.\n")
    status, out, _ = ingest(folder / "leave.md", folder / "leave.md", "--collection", "people")
    assert (status, out) == (0, "1 of 1 files are searchable in people.\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="for root every folder is open")
def test_a_folder_that_cannot_be_read_is_named(folder):
    (folder / "broken.pdf").unlink()
    (folder / "rules").chmod(0)
    status, out, errors = ingest(folder, "--collection", "people")
    (folder / "rules").chmod(0o700)
    assert (status, out) == (1, "1 of 1 files are searchable in people.\n")
    assert errors == f"{folder / 'rules'}: Permission denied. Nothing in it was added.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--collection", "people"), "nowhere: there is no such file"),
        ((".", "--collection", "No slug"), "cannot be a collection's name"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(arguments, says):
    with pytest.raises(CommandError, match=says):
        call_command("ingest", *arguments)
    assert not Collection.objects.exists()
