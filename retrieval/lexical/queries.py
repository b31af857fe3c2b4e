"""The queries of one question to the texts of one language: its words, their likely spellings, and what keeps them to
the collections that the asker may read."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tantivy import DocAddress, Occur, Query, Searcher

from retrieval.lexical.analysis import DEFAULT, MOST_TERMS, query_terms
from retrieval.lexical.shard import schema
from retrieval.lexical.snapshot import TEXT, Snapshot
from retrieval.lexical.typos import Texts, begun, corrections, joined, parts
from retrieval.lexical.weights import Weights

Clause = tuple[Occur, Query]
Found = tuple[float, DocAddress]
"""A score and where in the snapshot the chunk is."""

FEW = 8  # collections that are filtered one by one
ENOUGH = 50  # chunks for each hit wanted, that the rarest words of a question choose from
ADDED = 8  # words beyond those that add to the score of what these have chosen, the rarest
COMMON = 0.4  # of all chunks: a word that more of them have tells none from the other
LOOKED_UP = 2.5  # chunks of a list that are read, passing over most, in the time of looking one up in it
CORRECTED = 0.7  # what a corrected word counts beside a word as it was typed

SCHEMA = schema(DEFAULT)
"""For queries, which go by the names of fields: those are the same in each language."""


class Part(NamedTuple):
    """What the asker may read of one language: the collections, their share of its chunks, and those beside them (None
    where some chunk may be in neither)."""

    readable: frozenset[int]
    share: float
    hidden: frozenset[int] | None
    texts: Texts


def part_of(held: Snapshot, readable: frozenset[int]) -> Part:
    """Whether a readable chunk has a word is looked up in the largest collection first, which is likely to have it."""
    hidden = held.hidden(readable)
    places: list[Query] = []
    if hidden != frozenset():
        largest = max(readable, key=held.collections.__getitem__)
        places = [_allowed(each) for each in dict.fromkeys([frozenset([largest]), readable])]
    return Part(
        readable, held.share(readable), hidden, Texts(held.searcher, SCHEMA, TEXT, places, held.beginning)
    )


def _allowed(readable: frozenset[int]) -> Query:
    """The chunks of these collections, adding nothing to the score."""
    return Query.const_score_query(_members(readable), 0.0)


def _members(collections: frozenset[int]) -> Query:
    if len(collections) > FEW:
        return Query.term_set_query(SCHEMA, "collection", sorted(collections))
    # Read along with the words' own lists, instead of marking every chunk beforehand.
    each = (Query.term_query(SCHEMA, "collection", one, "basic") for one in sorted(collections))
    return Query.boolean_query([(Occur.Should, one) for one in each])


def _within(part: Part) -> list[Clause]:
    """What keeps a search of this very snapshot to these collections: the smaller of the two lists, of the chunks
    that are readable or of those that are not."""
    if part.hidden is None or part.share <= 0.5:
        return [(Occur.Must, _allowed(part.readable))]
    return [(Occur.MustNot, _members(part.hidden))] if part.hidden else []


def _term(term: str, weight: float = 1.0) -> Query:
    query = Query.term_query(SCHEMA, TEXT, term, index_option="freq")
    return query if weight == 1.0 else Query.boost_query(query, weight)


def words_of(
    texts: Texts,
    language: str,
    asked: Sequence[str],
    weights: Weights,
    elsewhere: frozenset[str],
    spelt: list[tuple[str, str]],
) -> dict[str, Query]:
    """The question's terms; one that no readable chunk has, in this language or `elsewhere`, is also looked for as its
    likely spellings, or as a name and a number; a letter that texts have in pairs, as those. `spelt` gets these
    spellings."""

    def of(term: str, times: float = 1.0) -> Query:
        return _term(term, times * weights(language, term))

    terms = _rarest(texts.searcher, asked)
    words = {term: of(term) for term in terms}
    strange = [term for term in terms if term not in elsewhere]
    spelt += (likely := [pair for pair in corrections(texts, strange) if pair[1] not in words])
    for _, term in likely:
        words[term] = of(term, CORRECTED)
    for term in joined(texts, terms):  # what two words ask for
        words[term] = of(term, 2 * CORRECTED)
    for pair in parts(texts, terms):
        both = [(Occur.Must, of(term)) for term in query_terms(pair, language)]
        words[pair] = Query.boost_query(Query.boolean_query(both), CORRECTED)
    for letter, pairs in begun(texts, terms).items():
        words[letter] = Query.disjunction_max_query([of(pair) for pair in pairs])
    return words


def found_by(part: Part, words: Mapping[str, Query], k: int) -> list[Found]:
    """Any of the words. To look through the lists of words that half of a large library has takes most of the time,
    and what has none of the rarer ones is not among the best: so the rarest words choose, as many as ENOUGH chunks a
    hit take, and the next rarest add to the score of what these have found."""
    within, searcher = _within(part), part.texts.searcher
    for most in (ENOUGH * k / part.share, math.inf):
        finding, adding = _split(searcher, words, most, filtered=bool(within))
        found: list[Found] = list(searcher.search(_query(finding, adding, within), k, count=False).hits)
        if len(found) >= k or len(finding) == len(words):
            break
    return found


def _rarest(searcher: Searcher, terms: Sequence[str]) -> list[str]:
    """At most MOST_TERMS of the terms, the rarest that are there at all: they decide."""
    if len(terms) <= MOST_TERMS:
        return list(terms)
    frequencies = {term: searcher.doc_freq(TEXT, term) for term in terms[: MOST_TERMS * 8]}
    known = [term for term in frequencies if frequencies[term]]
    return sorted(known, key=lambda term: frequencies[term])[:MOST_TERMS]


def _split(
    searcher: Searcher, words: Mapping[str, Query], enough: float, *, filtered: bool
) -> tuple[list[Query], list[Query]]:
    """The rarest of the words, as many as so many chunks take, and those of the others that add to the score: to look
    a chunk up in the list of a common word takes as long as in that of a rare one, and says less."""
    finding: list[Query] = []
    adding: list[Query] = []
    reached = found = beside = 0
    frequencies = {word: searcher.doc_freq(TEXT, word) for word in words}
    for word in sorted(words, key=frequencies.__getitem__):
        if reached < enough:
            finding.append(words[word])
            found += frequencies[word]
        elif len(adding) < ADDED and frequencies[word] <= COMMON * searcher.num_docs:
            adding.append(words[word])
            beside += frequencies[word]
        reached += frequencies[word]
    if not filtered and beside < LOOKED_UP * found * len(adding):
        return finding + adding, []  # all of them choose: see _query
    return finding, adding


def _query(finding: Sequence[Query], adding: Sequence[Query], within: Sequence[Clause]) -> Query:
    any_of = Query.boolean_query([(Occur.Should, query) for query in finding])
    if not adding and not within:
        return any_of  # nothing but words: tantivy passes over what cannot be among the best
    return Query.boolean_query([(Occur.Must, any_of), *within, *((Occur.Should, query) for query in adding)])
