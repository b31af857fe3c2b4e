"""Text -> its sentences (pure)."""

import re
from collections.abc import Iterator

LONGEST = 320  # characters; a longer sentence is divided where it pauses
HEADING_LONGEST = 80  # characters
WRAPPED = 60  # characters; a longer line without a stop at its end goes on in the next

# From the first of a run of stops alone: to try each of thousands against the rest of them takes seconds.
_STOP = re.compile(r"(?:(?<![.!?])[.!?]+[\"”’')\]]*(?=\s)|[。！？]+|\n)")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|nos|inc|ltd|co|corp|dr|mr|mrs|ms|st|fig|sec|art|al|dept|u\.s|u\.k)|\b[a-z])\.$",
    re.IGNORECASE,
)
# A day of the month as German writes it; where months begin with a small letter, that tells.
_DAY = re.compile(r"(?<!\d)\d{1,2}\.$")
_MONTH = re.compile(r"\s+(?:Jan|Jän|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")
_PAUSE = re.compile(r"[;:,]\s")
_ITEM = re.compile(r"\s*(?:[-*+•▪◦‣|#>]|\d{1,3}[.)]\s|[a-z][.)]\s|```)")
_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,2})*[.)]?[ \t]+")


def is_row(text: str, start: int) -> bool:
    """Whether the sentence that begins there is a row of a table."""
    return text.startswith("|", start)


def spans(text: str) -> list[tuple[int, int]]:
    """The sentences of a text as character ranges, without the space around them. Lines of lists and tables,
    and lines that no next line goes on with, are sentences of their own."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _STOP.finditer(text):
        if _ends(text, start, match):
            found.extend(_divided(text, start, match.end()))
            start = match.end()
    found.extend(_divided(text, start, len(text)))
    return found


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    end = stop.end()
    if stop.group() == "\n":
        line = text[text.rfind("\n", 0, stop.start()) + 1 : stop.start()]
        following = text[end : end + 12]
        goes_on = following[:1].islower() or (len(line) >= WRAPPED and not following[:1].isspace())
        return not goes_on or bool(_ITEM.match(following)) or bool(_ITEM.match(line) and len(line) < WRAPPED)
    if stop.group() == ".":
        if _MONTH.match(text, end) and _DAY.search(text, max(start, end - 4), end):
            return False
        following = text[end : end + 2].strip()
        return not (following[:1].islower() or _ABBREVIATED.search(text, max(start, end - 8), end))
    return True


def _divided(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The range without its outer spaces; in parts, at pauses, where it is very long."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > LONGEST:
        pauses = [pause.end() for pause in _PAUSE.finditer(text, start + LONGEST // 3, start + LONGEST)]
        at = pauses[-1] if pauses else text.rfind(" ", start + LONGEST // 3, start + LONGEST) + 1
        at = at or start + LONGEST
        yield start, at
        start = at
    if start < end:
        yield start, end


def is_heading(text: str, start: int, end: int) -> bool:
    """Whether the sentence is a heading as chunking writes those that not all of a chunk stands under: a short line
    with an empty one above and below. It may be numbered; where a list goes on below, it is one of its items."""
    if end - start > HEADING_LONGEST or not text[start].isupper() or text[end : end + 2] != "\n\n":
        return False
    line = text.rfind("\n", 0, start) + 1
    number = text[line:start]
    if number and not (_NUMBER.fullmatch(number) and not _NUMBER.match(text, end + 2)):
        return False
    return (line == 0 or text[line - 2 : line] == "\n\n") and (
        text[end - 1].isalnum() or text[end - 1] in ")?"
    )
