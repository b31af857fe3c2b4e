"""What a model that reasons says to itself before it answers, told from the answer.

Servers that know their model send it beside the text, as `reasoning_content` or `reasoning`. The others leave it in the
text, as a block in front of the answer; and where their template of the prompt opens that block, only its end is seen.
Such a model gives itself away with its first answer, and from then on its text is held back to that end."""

from dataclasses import dataclass

BLOCKS = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]"}


END = BLOCKS["<think>"]


@dataclass(slots=True)
class Habits:
    """What the answers of a model so far have shown of it. `unopened`: its thoughts come without their opening."""

    thinks: bool = False
    unopened: bool = False


class Anew(str):
    """A text that stands in place of all before it: that was thought."""

    __slots__ = ()


def joined(before: str, more: str) -> str:
    return more if isinstance(more, Anew) else type(before)(before + more)


class Spoken:
    """The part of a model's text that is its answer: without a block of thoughts in front, which may come in any
    pieces, and without leading blanks."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._held = ""
        self._close = ""
        """What ends the block that is open."""
        self._begun = False
        self._closed = False
        """Whether a block was seen, and there is none to come."""
        self._last = "\n"

    def feed(self, text: str) -> str:
        """What of the answer is certain by now."""
        if self._begun:
            return text if self._closed else self._unopened(text)
        self._held += text
        if self._habits.unopened and not self._closed:
            _, closed, after = self._held.partition(END)
            if not closed:
                return ""
            self._held, self._closed = after, True
        if not self._close:
            self._open()
        if self._close:
            _, closed, after = self._held.partition(self._close)
            # The end may come in pieces, too.
            self._held = after if closed else self._held[1 - len(self._close) :]
            if not closed:
                return ""
            self._close, self._closed = "", True
            return self.feed("")
        self._held = self._held.lstrip()
        if not self._held or any(opening.startswith(self._held) for opening in BLOCKS):
            return ""
        text = self._begin()
        return text if self._closed else self._unopened(text)

    def flush(self, *, cut_short: bool = False) -> str:
        """The rest, at the end. A thought that was not closed is no answer."""
        if self._habits.unopened and not (self._begun or self._closed):
            if cut_short:
                return ""
            self._habits.unopened = False  # not any more
            return self.feed("") + self.flush()
        return "" if self._close else self._begin()

    def _begin(self) -> str:
        held, self._held = self._held, ""
        self._begun = self._begun or bool(held)
        return held

    def _unopened(self, text: str) -> str:
        """The text, or what stands in its place where a line that ends a block shows that all so far was thought."""
        last, self._last = self._last, text[-1:] or self._last
        before, found, after = text.partition(END) if END in text else ("", "", "")
        if not found or (last + before)[-1] != "\n" or after[:1] not in {"", "\n"}:
            return text
        self._habits.unopened = self._habits.thinks = self._closed = True
        self._begun = False
        return Anew(self.feed(after))

    def _open(self) -> None:
        said = self._held.lstrip()
        for opening, close in BLOCKS.items():
            if said.startswith(opening):
                self._held, self._close, self._habits.thinks = said.removeprefix(opening), close, True
