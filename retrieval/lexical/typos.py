"""Likely spellings of the words of a question that none of the readable chunks has.

The naive way is a fuzzy query for every word: it finds `form` for `farm`, scores all matches alike and
walks the whole dictionary. Here only a word that would otherwise find nothing is corrected, to words that
begin like it, and only to words that the asker's own collections hold: a spelling tells nothing of the
others. Names with a number are written apart or as one, `RFC 7231` and `RFC7231`, and found either way. One letter
of a script that is read in pairs stands for the pairs that begin with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance.OSA import distance
from tantivy import Occur, Query, Schema, Searcher

from retrieval.lexical.analysis import NUMBERED, is_unspaced

MOST_WORDS = 3  # words corrected in one question
MOST_SPELLINGS = 2  # spellings tried for each
MOST_TRIED = 12  # candidates looked up for each
MOST_PAIRS = 64  # of one letter, those in the most chunks
SHORTEST = 4
BEGINNING = 2  # letters taken as typed right
RARE = 64  # a word in more chunks than this is not looked up where all of them are readable
KNOWN = 5_000  # nor is a word in more than this for anybody: that takes a millisecond


@dataclass(frozen=True, slots=True)
class Texts:
    """What the asker may read of field `name` of a snapshot. `places` are the queries of where to look: where most is
    likely to be found first, at last all of it; none where every chunk is readable. `beginning`: the words that begin
    so, with the chunks that have them."""

    searcher: Searcher
    schema: Schema
    name: str
    places: Sequence[Query]
    beginning: Callable[[str], Sequence[tuple[str, int]]]

    def have(self, *terms: str) -> bool:
        """Whether a readable chunk has the terms."""
        frequency = min(self.searcher.doc_freq(self.name, term) for term in terms)
        if frequency == 0 or (len(terms) == 1 and frequency > (KNOWN if self.places else RARE)):
            return frequency > 0
        wanted = [Query.term_query(self.schema, self.name, term, index_option="freq") for term in terms]
        return (
            any(self._found([*wanted, place]) for place in self.places)
            if self.places
            else self._found(wanted)
        )

    def _found(self, wanted: Sequence[Query]) -> bool:
        all_of = Query.boolean_query([(Occur.Must, query) for query in wanted])
        return bool(self.searcher.search(all_of, 1, count=False).hits)


def corrections(texts: Texts, terms: Sequence[str]) -> list[tuple[str, str]]:
    """Terms that the texts do not have, each with one that they have and that is close to it."""
    unknown = (term for term in terms if len(term) >= SHORTEST and term.isalpha())
    found: list[tuple[str, str]] = []
    corrected = 0
    for term in unknown:
        if corrected >= MOST_WORDS:
            break
        if not texts.have(term):
            corrected += 1
            found += ((term, word) for word in _spellings(texts, term))
    return [pair for pair in found if pair[1] not in terms]


def parts(texts: Texts, terms: Sequence[str]) -> list[str]:
    """`rfc 7231` for each term such as `rfc7231` that the texts do not have."""
    numbered = [found for term in terms if (found := NUMBERED.fullmatch(term))][:MOST_WORDS]
    return [f"{found[1]} {found[2]}" for found in numbered if not texts.have(found[0])]


def joined(texts: Texts, terms: Sequence[str]) -> list[str]:
    """`rfc7231`, where the texts have it, for each `rfc` before a `7231` that no text has together."""
    pairs = [pair for pair in pairwise(terms) if pair[0].isalpha() and pair[1].isdigit()][:MOST_WORDS]
    found = (pair for pair in pairs if texts.have("".join(pair)))
    return ["".join(pair) for pair in found if not texts.have(*pair)]


def begun(texts: Texts, terms: Sequence[str]) -> dict[str, list[str]]:
    """For each single letter of a script without spaces the pairs that begin with it: a text has the letter alone only
    where it stands alone."""
    single = [term for term in terms if is_unspaced(term)][:MOST_WORDS]
    known = {term: texts.beginning(term) for term in single}
    return {
        term: [pair for pair, _ in sorted(pairs, key=lambda pair: -pair[1])[:MOST_PAIRS]]
        for term, pairs in known.items()
        if pairs
    }


def _spellings(texts: Texts, term: str) -> list[str]:
    most = 1 if len(term) < 6 else 2
    near = sorted(
        (steps, -frequency, word)
        for word, frequency in texts.beginning(term[:BEGINNING])
        if (steps := distance(term, word, score_cutoff=most)) <= most
    )
    readable: list[tuple[int, str]] = []
    for steps, _, word in near[:MOST_TRIED]:
        if len(readable) == MOST_SPELLINGS or (readable and steps > readable[0][0]):
            break
        if texts.have(word):
            readable.append((steps, word))
    return [word for _, word in readable]
