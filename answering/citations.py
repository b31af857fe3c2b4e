"""Citations in a stream of tokens: every number is checked against those that were sent, and written as
`[n]`.

Models write [1], [1, 2], [1][2], [^1], 【1】, [1-3], [Source 2] or 【3†L4】, split over tokens anywhere. The
filter holds back only what may still become a citation; numbers that no passage bears are dropped, code is
left alone. The number 0, which no passage bears, is how a model says that the passages do not answer."""

import re
from collections.abc import Iterable, Sequence

OPENING = "[【［"
# The places where anything can begin: a run of backticks or tildes, or a bracket with the blanks before it.
SPECIAL = re.compile(r"`+|~+|[ \t]*[\[【［]")
WORDS = r"(?:(?:sources?|passages?|documents?|docs?|ref(?:erence)?s?|citations?)\.?[\s:#]*)?"
NUMBER = r"(?:[\^#]?\d{1,9})"
JOIN = r"\s*(?:,|;|-|–|—|&|and|to)\s*"
LIKE_ONE = re.compile(
    rf"[\[【［]\s*{WORDS}({NUMBER}(?:{JOIN}{WORDS}{NUMBER})*)(?::\d+)?(?:†[^\]】］\n]{{0,60}})?\s*[\]】］]",
    re.IGNORECASE,
)
CITATION = re.compile(rf"([ \t]*){LIKE_ONE.pattern}", re.IGNORECASE)
# A prefix of a citation: it may yet become one when more text comes. Bounded, so little is ever held back.
POSSIBLE = re.compile(r"[ \t]*[\[【［][\^#\w\s,;:.&†–—-]{0,80}")
DANGLING = re.compile(r"[ \t]*[\[【［][\^#\d\s,;–—-]*")
# `[1](https://…)`: the number is the citation, the invented target goes.
TARGET = re.compile(r"\([^\s()]{0,300}\)")
TARGET_BEGUN = re.compile(r"\([^\s()]{0,300}")
RANGE = re.compile(rf"{NUMBER}\s*(?:-|–|—|to)\s*{NUMBER}|{NUMBER}", re.IGNORECASE)


class CitationFilter:
    """Passes text on with its citations checked and normalised. `cited` holds the numbers in order of
    appearance; `unanswered`: 0 was among those that the text had."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.cited: list[int] = []
        self.unanswered = False
        self._known = frozenset(numbers)
        self._pending = ""
        self._code = ""  # the run of backticks or tildes that opened the code we are in
        self._fenced = False
        self._blank_line = True  # nothing but blanks since the last line break

    def feed(self, text: str) -> str:
        """The text that is safe to show now; what may still become a citation waits for the next call."""
        self._pending += text
        return self._drain(final=False)

    def flush(self) -> str:
        """What was held back, at the end of the stream. A citation cut off in its middle is dropped."""
        return self._drain(final=True)

    @property
    def ending(self) -> str:
        """What ends the block of code that the text is in."""
        return f"\n{self._code}" if self._code and self._fenced else ""

    def _drain(self, *, final: bool) -> str:
        out: list[str] = []
        while self._pending:
            step = self._in_code(final) if self._code else self._in_text(final)
            if step is None:
                break
            length, shown = step
            self._pending = self._pending[length:]
            self._note_line(shown)
            out.append(shown)
        return "".join(out)

    def _in_text(self, final: bool) -> tuple[int, str] | None:
        """One step in prose: (characters used up, text shown), or None to wait for more."""
        text = self._pending
        special = SPECIAL.search(text)
        if special is None:
            length = len(text) if final else len(text.rstrip(" \t"))
            return (length, text[:length]) if length else None
        if special.start():
            return special.start(), text[: special.start()]
        if text[special.end() - 1] in OPENING:
            return self._bracket(text, special.end(), final)
        if special.end() == len(text) and not final:
            return None
        run = special.group()
        self._fenced = self._blank_line and len(run) >= 3
        if run[0] == "`" or self._fenced:
            self._code = run
        return special.end(), run

    def _bracket(self, text: str, after: int, final: bool) -> tuple[int, str] | None:
        found = CITATION.match(text)
        if found is None:
            if not final:
                return None if POSSIBLE.fullmatch(text) else (after, text[:after])
            return (len(text), "") if DANGLING.fullmatch(text) else (after, text[:after])
        rest = text[found.end() :]
        if not final and (not rest or TARGET_BEGUN.fullmatch(rest)):
            return None
        target = TARGET.match(rest)
        length = found.end() + (target.end() if target else 0)
        numbers = self._checked(found.group(2))
        return length, found.group(1) + numbers if numbers else ""

    def _checked(self, body: str) -> str:
        """`1, 3-5` -> `[1][3][4][5]`, as far as these are known."""
        numbers: dict[int, None] = {}
        for part in RANGE.findall(body):
            ends = [int(digits) for digits in re.findall(r"\d+", part)]
            self.unanswered = self.unanswered or ends == [0]
            numbers.update(dict.fromkeys(n for n in sorted(self._known) if ends[0] <= n <= ends[-1]))
        self.cited += [n for n in numbers if n not in self.cited]
        return "".join(f"[{n}]" for n in numbers)

    def _in_code(self, final: bool) -> tuple[int, str] | None:
        """One step inside code, up to and with the run that closes it; a blank line ends a span that never
        closes."""
        text, mark = self._pending, re.escape(self._code[0])
        if self._fenced:
            closing = re.compile(rf"(?m)^[ \t]*{mark}{{{len(self._code)},}}(?=\s|\Z)")
        else:
            closing = re.compile(rf"(?<!{mark}){mark}{{{len(self._code)}}}(?!{mark})|\n[ \t]*\n")
        found = closing.search(text)
        if found and self._fenced and found.start() == 0 and not self._blank_line:
            found = closing.search(text, 1)
        if found and (final or found.end() < len(text) or found.group().endswith("\n")):
            self._code = ""
            return found.end(), text[: found.end()]
        if final:
            return len(text), text
        held = re.search(rf"\n?[ \t\n]*{mark}*\Z", text)
        length = held.start() if held else len(text)
        return (length, text[:length]) if length else None

    def _note_line(self, shown: str) -> None:
        head, newline, line = shown.rpartition("\n")
        blank = not (line if newline else head + line).strip()
        self._blank_line = blank and (bool(newline) or self._blank_line)


def uncited(text: str) -> str:
    """What a document says, with nothing in it that reads as a citation of ours: its `[Source 2]` is `(Source 2)`, and
    its footnote `[^1]` is `(1)`."""
    if not any(bracket in text for bracket in OPENING):
        return text
    return LIKE_ONE.sub(lambda found: f"({found.group()[1:-1].strip().lstrip('^')})", text)


def renumber(previous: Sequence[tuple[int, int]], chunks: Sequence[int]) -> list[tuple[int, int]]:
    """(number, chunk) for `chunks`, in their order. A chunk keeps the number it had in `previous`; a new
    chunk gets a number that no passage bore before, so that a number never changes its meaning before a
    reader's eyes."""
    numbers = {chunk: n for n, chunk in previous}
    unused = max(numbers.values(), default=0)
    numbered: list[tuple[int, int]] = []
    for chunk in dict.fromkeys(chunks):
        if chunk not in numbers:
            unused += 1
            numbers[chunk] = unused
        numbered.append((numbers[chunk], chunk))
    return numbered
