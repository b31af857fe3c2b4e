"""Passages that say the same are told once."""

from collections.abc import Sequence

from retrieval.passages import Passage


def fold(passages: Sequence[Passage]) -> list[Passage]:
    """`passages`, best first, without those whose text came before."""
    return list({passage.content_hash: passage for passage in reversed(passages)}.values())[::-1]
