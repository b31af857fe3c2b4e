"""The styles of an OpenDocument file: what is hidden, what is a title, and how lists and headings are numbered."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from lxml import etree

from retrieval.ingestion.parsing.odf_names import PRESENTATION, STYLE, TABLE, TEXT, count

_ANCESTORS = 20  # of a style, beyond which there is none or a circle
_LIST_FORMAT = re.compile(r"(?:.*\})?num-list-format$")  # its namespace has changed with the version

_Value = TypeVar("_Value")
Key = tuple[str, str]
"""A style's family (`paragraph`, `text`, `table` …) and name."""


@dataclass(frozen=True, slots=True)
class Level:
    """How a level of a list is numbered; a bullet's has no `form`. `pattern` is the whole label, such as `%1%.%2%)`,
    where the file has it."""

    form: str = ""
    prefix: str = ""
    suffix: str = ""
    shown: int = 1
    start: int = 1
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Styles:
    """`plain` are those of headings that are left out of the outline's numbering."""

    hidden: frozenset[Key] = frozenset()
    titles: frozenset[Key] = frozenset()
    plain: frozenset[Key] = frozenset()
    lists: Mapping[str, Mapping[int, Level]] = field(default_factory=dict)
    outline: Mapping[int, Level] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a style says itself: None is nothing."""

    parent: str
    hidden: bool | None
    numbered: str | None


def styles_of(containers: Iterable[etree._Element]) -> Styles:
    """From `office:styles` and `office:automatic-styles`, the latter last."""
    stated: dict[Key, _Stated] = {}
    lists: dict[str, dict[int, Level]] = {}
    outline: dict[int, Level] = {}
    for style in (style for container in containers for style in container):
        name = style.get(f"{STYLE}name", "")
        if style.tag == f"{STYLE}style":
            stated[style.get(f"{STYLE}family", ""), name] = _stated(style)
        elif style.tag == f"{TEXT}list-style":
            lists[name] = _levels(style)
        elif style.tag == f"{TEXT}outline-style":
            outline = _levels(style)
    chains = {key: _chain(key, stated) for key in stated}
    return Styles(
        hidden=frozenset(key for key, chain in chains.items() if _first(stated[one].hidden for one in chain)),
        titles=frozenset(key for key, chain in chains.items() if any(one[1] == "Title" for one in chain)),
        plain=frozenset(
            key for key, chain in chains.items() if _first(stated[one].numbered for one in chain) == ""
        ),
        lists=lists,
        outline=outline,
    )


def _stated(style: etree._Element) -> _Stated:
    hidden = None
    for properties in style:
        for name in (f"{TEXT}display", f"{TABLE}display", f"{PRESENTATION}visibility"):
            if shown := properties.get(name):
                hidden = shown in {"none", "false", "hidden"}
    parent = style.get(f"{STYLE}parent-style-name", "")
    return _Stated(parent, hidden, style.get(f"{STYLE}list-style-name"))


def _chain(key: Key, stated: Mapping[Key, _Stated]) -> list[Key]:
    """The style and those that it is based on."""
    chain: list[Key] = []
    while key in stated and len(chain) < _ANCESTORS:
        chain.append(key)
        key = (key[0], stated[key].parent)
    return chain


def _first(values: Iterable[_Value | None]) -> _Value | None:
    return next((value for value in values if value is not None), None)


def _levels(style: etree._Element) -> dict[int, Level]:
    levels: dict[int, Level] = {}
    for one in style:
        pattern = next((value for key, value in one.items() if _LIST_FORMAT.match(str(key))), "")
        levels[count(one.get(f"{TEXT}level"))] = Level(
            form=one.get(f"{STYLE}num-format", ""),
            prefix=one.get(f"{STYLE}num-prefix", ""),
            suffix=one.get(f"{STYLE}num-suffix", ""),
            shown=count(one.get(f"{TEXT}display-levels")),
            start=count(one.get(f"{TEXT}start-value")),
            pattern=pattern,
        )
    return levels
