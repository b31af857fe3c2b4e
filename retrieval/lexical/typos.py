"""Likely spellings of the words of a question that none of the readable chunks has.

The naive way is a fuzzy query for every word: it finds `form` for `farm`, scores all matches alike and
walks the whole dictionary. Here only a word that would otherwise find nothing is corrected, to words that
begin like it, and only to words that the asker's own collections hold: a spelling tells nothing of the
others. Names with a number are written apart or as one, `RFC 7231` and `RFC7231`, and found either way. One letter
of a script that is read in pairs stands for the pairs that begin with it."""

from collections.abc import Sequence
from itertools import pairwise

from tantivy import Occur, Query, Schema, Searcher

from retrieval.lexical.analysis import NUMBERED, is_unspaced

MOST_WORDS = 3  # words corrected in one question
MOST_SPELLINGS = 2  # spellings tried for each
MOST_TRIED = 12  # candidates looked up for each
MOST_PAIRS = 64  # of one letter, those in the most chunks
SHORTEST = 4
BEGINNING = 2  # letters taken as typed right
RARE = 64  # a word in more chunks than this is taken as known without counting the readable ones


def corrections(
    searcher: Searcher, schema: Schema, name: str, terms: Sequence[str], allowed: Query
) -> list[tuple[str, str]]:
    """Terms that do not stand within `allowed`, each with one of field `name` that does and is close to it."""
    unknown = (term for term in terms if len(term) >= SHORTEST and term.isalpha())
    found: list[tuple[str, str]] = []
    corrected = 0
    for term in unknown:
        if corrected >= MOST_WORDS:
            break
        if not _readable(searcher, schema, name, [term], allowed):
            corrected += 1
            found += ((term, word) for word in _spellings(searcher, schema, name, term, allowed))
    return [pair for pair in found if pair[1] not in terms]


def parts(searcher: Searcher, schema: Schema, name: str, terms: Sequence[str], allowed: Query) -> list[str]:
    """`rfc 7231` for each term such as `rfc7231` that does not stand within `allowed`."""
    numbered = [found for term in terms if (found := NUMBERED.fullmatch(term))][:MOST_WORDS]
    return [
        f"{found[1]} {found[2]}"
        for found in numbered
        if not _readable(searcher, schema, name, [found[0]], allowed)
    ]


def joined(searcher: Searcher, schema: Schema, name: str, terms: Sequence[str], allowed: Query) -> list[str]:
    """`rfc7231`, where it stands within `allowed`, for each `rfc` before a `7231` that do not stand there together."""
    pairs = [pair for pair in pairwise(terms) if pair[0].isalpha() and pair[1].isdigit()][:MOST_WORDS]
    found = (pair for pair in pairs if _readable(searcher, schema, name, ["".join(pair)], allowed))
    return ["".join(pair) for pair in found if not _readable(searcher, schema, name, pair, allowed)]


def begun(searcher: Searcher, name: str, terms: Sequence[str]) -> dict[str, list[str]]:
    """For each single letter of a script without spaces the pairs of field `name` that begin with it: a text has the
    letter alone only where it stands alone."""
    single = [term for term in terms if is_unspaced(term)][:MOST_WORDS]
    known = {term: searcher.terms_with_prefix(name, term) for term in single}
    return {
        term: [pair for pair, _ in sorted(pairs, key=lambda pair: -pair[1])[:MOST_PAIRS]]
        for term, pairs in known.items()
        if pairs
    }


def _spellings(searcher: Searcher, schema: Schema, name: str, term: str, allowed: Query) -> list[str]:
    most = 1 if len(term) < 6 else 2
    near: list[tuple[int, int, str]] = []
    letters = set(term)
    for word, frequency in searcher.terms_with_prefix(name, term[:BEGINNING]):
        # An edit changes at most two letters of the set; comparing sets leaves a twentieth to compare in full.
        if abs(len(word) - len(term)) > most or len(letters.symmetric_difference(word)) > 2 * most:
            continue
        if (steps := distance(term, word, most)) <= most:
            near.append((steps, -frequency, word))
    near.sort()
    readable: list[tuple[int, str]] = []
    for steps, _, word in near[:MOST_TRIED]:
        if len(readable) == MOST_SPELLINGS or (readable and steps > readable[0][0]):
            break
        if _readable(searcher, schema, name, [word], allowed):
            readable.append((steps, word))
    return [word for _, word in readable]


def _readable(searcher: Searcher, schema: Schema, name: str, terms: Sequence[str], allowed: Query) -> bool:
    """Whether a readable chunk has the terms."""
    frequency = min(searcher.doc_freq(name, term) for term in terms)
    if frequency == 0 or (frequency > RARE and len(terms) == 1):
        return frequency > 0
    wanted = [Query.term_query(schema, name, term, index_option="freq") for term in terms]
    both = Query.boolean_query([(Occur.Must, query) for query in (*wanted, allowed)])
    return bool(searcher.search(both, 1, count=False).hits)


def distance(left: str, right: str, most: int) -> int:
    """Edits from one word to the other: a letter more, less, changed, or two neighbours swapped; `most` + 1
    for any number above `most`."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        before, previous, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
