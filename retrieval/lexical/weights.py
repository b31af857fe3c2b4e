"""What a word of a question weighs where texts of several languages are searched.

Each language's texts are counted by themselves. By their own counts alone a word of a language that few texts are in
would weigh less than a common word of the others, and a question in the one would find texts in the others."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from retrieval.lexical.analysis import query_terms

NEGLIGIBLE = 0.02  # of a weight, as of most words of the language that nearly all texts are in


class Counts(NamedTuple):
    """Of the chunks of one language: how many there are, and how many have a term."""

    chunks: int
    having: Callable[[str], int]


def rarity(chunks: int, having: int) -> float:
    """BM25's weight of a word that `having` of `chunks` have, as Lucene and tantivy write it."""
    return math.log1p((chunks - having + 0.5) / (having + 0.5))


class Weights:
    """The words of `question` in each of the languages that are searched."""

    def __init__(self, question: str, searched: Mapping[str, Counts]) -> None:
        self._searched = searched
        self._chunks = sum(counts.chunks for counts in searched.values())
        self._terms = {
            word: {language: query_terms(word, language) for language in searched}
            for word in (question.split() if len(searched) > 1 else ())
        }
        self._alike = {
            (language, terms[0]): {other: of[0] for other, of in by_language.items() if len(of) == 1}
            for by_language in self._terms.values()
            for language, terms in by_language.items()
            if len(terms) == 1
        }

    def __call__(self, language: str, term: str) -> float:
        """By what the score of a term is to be multiplied, that is counted in its own language; 1 where there is no
        other."""
        if len(self._searched) == 1:
            return 1.0
        alike = self._alike.get((language, term)) or dict.fromkeys(self._searched, term)
        among_all = sum(self._searched[other].having(of) for other, of in alike.items())
        own = self._searched[language]
        weight = rarity(self._chunks, among_all) / rarity(own.chunks, own.having(term))
        # tantivy passes over what cannot be among the best only where no weight is in its way.
        return weight if abs(weight - 1) > NEGLIGIBLE else 1.0

    def elsewhere(self, language: str, have: Callable[[str, str], bool]) -> frozenset[str]:
        """The terms of words that are not in the texts of this language, and in those of another, as `have` tells
        of a language and a term: those are no slips."""
        having = self._searched[language].having
        return frozenset(
            term
            for by_language in self._terms.values()
            for term in by_language[language]
            if not having(term)
            and any(
                terms and all(have(other, one) for one in terms)
                for other, terms in by_language.items()
                if other != language
            )
        )
