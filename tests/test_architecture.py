"""The rules of the house, held by reading the code."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("qa_site", "answering", "retrieval")
ALLOWED = {
    "retrieval": {"retrieval"},
    "answering": {"answering", "retrieval"},
    "qa_site": {"qa_site", "answering", "retrieval"},
}
# Django's app loading, the command line and optional packages force these.
LATE_IMPORTS = {"answering/apps.py", "retrieval/apps.py", "qa_site/apps.py"}


def modules(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def imports(path: Path, *, everywhere: bool = False) -> list[str]:
    """What a module imports when it is loaded; with `everywhere`, inside functions too, type checking aside."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)
    found: list[str] = []
    stack: list[ast.AST] = [ast.parse(path.read_text())]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            name = ".".join(part for part in (base, node.module or "") if part)
            found += [f"{name}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack += ast.iter_child_nodes(node)
    return found


def resolved(name: str) -> str | None:
    """The module of ours that an imported name is, or lives in."""
    parts = name.split(".")
    while parts:
        path = ROOT.joinpath(*parts)
        if path.with_suffix(".py").exists():
            return ".".join(parts)
        if (path / "__init__.py").exists():
            return ".".join(parts)
        parts.pop()
    return None


@pytest.mark.parametrize("package", APPS)
def test_imports_run_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(path, everywhere=True)
        if name.split(".")[0] in {*APPS, "benchmarks", "tests"} and name.split(".")[0] not in ALLOWED[package]
    ]
    assert not wrong


def test_resilience_imports_nothing_of_the_project() -> None:
    ours = "answering.resilience"
    wrong = [
        f"{path.name} imports {name}"
        for path in modules("answering/resilience")
        for name in imports(path, everywhere=True)
        if not name.startswith(ours) and name.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong


def test_nothing_is_imported_inside_functions() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for package in APPS
        for path in modules(package)
        if str(path.relative_to(ROOT)) not in LATE_IMPORTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not wrong


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): {
            found for name in imports(path) if (found := resolved(name))
        }
        for package in APPS
        for path in modules(package)
    }
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in graph.get(module, set()) - {module}:
                walk(other, [*way, module])
            done.add(module)

    for module in graph:
        walk(module, [])


def test_broad_handlers_are_never_silent() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in APPS
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert not wrong


def test_the_pipeline_reads_as_one_page() -> None:
    lines = (ROOT / "answering/pipeline.py").read_text().splitlines()
    assert len(lines) < 250
