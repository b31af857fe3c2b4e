"""Facts in the documentation that must not rot: a setting, metric, stage or command without its line fails here."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from prometheus_client import REGISTRY

from answering import api, events
from answering import metrics as answering_metrics
from answering.budgets import Budgets
from answering.stages import NOTICES
from qa_site.account import Account
from qa_site.bundled import Postgres, Site, postgres_programs
from qa_site.usage import Utility
from retrieval import metrics as retrieval_metrics
from retrieval.ingestion import storage

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WORDING = ROOT / "static" / "js" / "wording.js"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def settings_read() -> set[str]:
    """The names given to the readers of `env`, in the settings and where folders are found."""
    names: set[str] = set()
    for path in (ROOT / "qa_site").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == "env"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                names.add(str(node.args[0].value))
    return names | {f"BUDGET_{field.upper()}_MS" for field in Budgets.__dataclass_fields__}


def stages_named() -> set[str]:
    """The stages that a run can have."""
    names: set[str] = set()
    for path in (ROOT / "answering").rglob("*.py"):
        names |= set(re.findall(r"run\.(?:stage|record)\(\s*\"(\w+)\"", path.read_text()))
    return names


def commands() -> set[str]:
    return {
        path.stem
        for app in ("qa_site", "retrieval", "answering")
        for path in (ROOT / app / "management" / "commands").glob("[a-z]*.py")
    }


def metric_names() -> set[str]:
    assert answering_metrics
    assert retrieval_metrics
    return {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in REGISTRY.collect()
        if metric.name.startswith("qa_")
    }


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in page("configuration.md")


@pytest.mark.parametrize("name", sorted(metric_names()))
def test_every_metric_is_documented(name: str) -> None:
    assert f"`{name}" in page("metrics.md")


def test_no_metric_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `(qa_\w+)", page("metrics.md"), re.MULTILINE)) <= metric_names()


@pytest.mark.parametrize("name", sorted(stages_named()))
def test_every_stage_is_documented(name: str) -> None:
    assert f"| `{name}` |" in page("architecture.md")


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_is_documented(name: str) -> None:
    assert f"manage.py {name}" in page("commands.md")


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    assert re.search(rf"^  {name} +[A-Z].*\.$", Utility(["manage.py"]).main_help_text(), re.MULTILINE)
    command = load_command_class(get_commands()[name], name)
    assert not [
        action.dest
        for action in command.create_parser("manage.py", name)._actions
        if not action.help and action.dest not in {"force_color", "no_color"}
    ]


def given_up() -> set[str]:
    """The codes of what a run gives up, but for those of its stages."""
    sources = "".join(path.read_text() for path in (ROOT / "answering").glob("*.py"))
    return set(re.findall(r'(?:give_up|on_notice)\(\s*"(\w+)"', sources))


@pytest.mark.parametrize("code", sorted(given_up()))
def test_what_was_given_up_is_worded_for_readers_of_old_answers(code: str) -> None:
    assert f"  {code}: " in WORDING.read_text()


def worded(table: str) -> set[str]:
    """The codes that one of the tables of `wording.js` has words for."""
    (rows,) = re.findall(rf"^const {table} = {{$(.*?)^}};$", WORDING.read_text(), re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^  (\w+): ", rows, re.MULTILINE))


def test_each_stage_is_worded_for_readers_and_no_other() -> None:
    assert worded("STAGES") == stages_named()


def test_nothing_is_worded_that_is_never_given_up() -> None:
    assert worded("NOTICES") <= given_up()


@pytest.mark.parametrize("stage", sorted({*NOTICES} - {"cache"}))  # a quiet one
def test_a_stage_that_was_given_up_is_worded_for_readers_of_old_answers(stage: str) -> None:
    causes = re.findall(r"^  \[/(\S+)/,", WORDING.read_text(), re.MULTILINE)
    assert any(re.match(cause, f"{stage}_timeout") for cause in causes)


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert not broken


def test_the_modules_named_in_the_architecture_exist() -> None:
    found = {path.name for path in ROOT.glob("*/**/*.py")} | {"manage.py"}
    assert set(re.findall(r"`(?:\w+/)*(\w+\.py)`", page("architecture.md"))) <= found


def test_the_changes_stay_a_list_that_people_read() -> None:
    """A merge that keeps both sides brings lines back that had been gathered into others."""
    versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    assert max(len(version.splitlines()) for version in versions) < 250


def anchors(path: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_to_headings_lead_to_one() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}#{anchor}"
        for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", path.read_text())
        if anchor not in anchors(path.parent / target if target else path)
    ]
    assert not broken


def test_the_folder_of_originals_is_the_one_to_back_up():
    folder = storage.path_of("0" * 64).parents[1].name
    (backup,) = (line for line in page("configuration.md").splitlines() if line.startswith("A backup is"))
    assert f"`DATA_DIR/{folder}`" in backup


def test_the_programs_for_a_backup_are_where_it_is_documented():
    (folder,) = re.findall(r"site-packages/(\S+/bin)\)", page("operating.md"))
    assert postgres_programs().parts[-3:] == Path(folder).parts
    assert f"`{Postgres(Site(ROOT, ROOT, Account(0, 0, switch=False))).folder.name}`" in page("operating.md")


def calls() -> set[str]:
    """As `POST ask`, with the parts of an address that vary by their last word."""
    paths = api.build().get_openapi_schema(path_prefix="")["paths"]
    named = {path: re.sub(r"\{(?:\w+_)?(\w+)\}", r"{\1}", path).lstrip("/") for path in paths}
    return {f"{method.upper()} {named[path]}" for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("call", sorted(calls()))
def test_every_call_is_documented(call: str) -> None:
    assert f"`{call}" in page("http.md")


@pytest.mark.parametrize("code", sorted(given_up()))
def test_what_was_given_up_is_documented(code: str) -> None:
    assert f"| `{code}` |" in page("http.md")


def test_the_frames_are_those_documented():
    (table,) = re.findall(r"^## Frames$(.*?)^## ", page("http.md"), re.MULTILINE | re.DOTALL)
    made = re.findall(r'Event\(\s*"(\w+)"', Path(events.__file__).read_text())
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == made
