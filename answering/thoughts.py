"""What a model that reasons says to itself before it answers, told from the answer.

Servers that know their model send it beside the text, as `reasoning_content` or `reasoning`. The others leave it in the
text, as a block in front of the answer."""

from dataclasses import dataclass

BLOCKS = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]"}


@dataclass(slots=True)
class Habits:
    """What the answers of a model so far have shown of it."""

    thinks: bool = False


class Spoken:
    """The part of a model's text that is its answer: without a block of thoughts in front, which may come in any
    pieces, and without leading blanks."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._held = ""
        self._close = ""
        """What ends the block that is open."""
        self._begun = False

    def feed(self, text: str) -> str:
        """What of the answer is certain by now."""
        if self._begun:
            return text
        self._held += text
        if not self._close:
            self._open()
        if self._close:
            _, closed, after = self._held.partition(self._close)
            # The end may come in pieces, too.
            self._held = after if closed else self._held[1 - len(self._close) :]
            if not closed:
                return ""
            self._close = ""
            return self.feed("")
        self._held = self._held.lstrip()
        if not self._held or any(opening.startswith(self._held) for opening in BLOCKS):
            return ""
        return self.flush()

    def flush(self) -> str:
        """The rest, at the end. A thought that was not closed is no answer."""
        held, self._held = self._held, ""
        if self._close:
            return ""
        self._begun = self._begun or bool(held)
        return held

    def _open(self) -> None:
        said = self._held.lstrip()
        for opening, close in BLOCKS.items():
            if said.startswith(opening):
                self._held, self._close, self._habits.thinks = said.removeprefix(opening), close, True
