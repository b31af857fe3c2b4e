"""What became of a question, figures over many, and the tables that a run prints."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Asked:
    """One question's story. Times are of the monotonic clock; infinite where it never came to that."""

    id: str
    asked: float
    first_citation: float = math.inf
    first_token: float = math.inf
    usable: float = math.inf
    ended: float = math.inf
    terminals: int = 0
    finish: str = ""
    route: str = ""
    priority: str = "interactive"
    degraded: list[str] = field(default_factory=list)
    stages: list[dict[str, object]] = field(default_factory=list)


def quantile(values: Iterable[float], share: float) -> float:
    """The nearest-rank quantile; not a number of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def since_asked(asked: Sequence[Asked], moment: Callable[[Asked], float]) -> list[float]:
    return [moment(each) - each.asked for each in asked]


@dataclass(frozen=True, slots=True)
class Check:
    """A figure that issue or contract asks for, and whether it is reached."""

    profile: str
    what: str
    measured: str
    wanted: str
    passed: bool


def at_most(profile: str, what: str, value: float, bound: float, unit: str = "") -> Check:
    return Check(profile, what, shown(value, unit), f"<= {shown(bound, unit)}", value <= bound)


def at_least(profile: str, what: str, value: float, bound: float, unit: str = "") -> Check:
    return Check(profile, what, shown(value, unit), f">= {shown(bound, unit)}", value >= bound)


def shown(value: float, unit: str = "") -> str:
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return "never"
    match unit:
        case "s":
            return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
        case "%":
            return f"{value * 100:.1f} %"
        case "x":
            return f"{value:.3f}"
        case _:
            return f"{value:g}"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=number < 2)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_checks(checks: Sequence[Check], console: Console) -> None:
    rows = [(c.profile, c.what, c.measured, c.wanted, "pass" if c.passed else "FAIL") for c in checks]
    print_table("What must hold", ("profile", "figure", "measured", "wanted", ""), rows, console)
    console.print(f"{sum(c.passed for c in checks)} of {len(checks)} hold.")
