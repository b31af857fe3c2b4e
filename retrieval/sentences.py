"""BM25 over the sentences of a few passages: which of them answer, and what a prompt can do without.

A sentence is worth what its own words are worth, something for words of the families of the question's (lose and
lost), a share of what its neighbours, the heading above it and the title and headings of its passage are worth (the
answer often stands beside the sentence that names the subject, or below the heading that does), and more in a passage
that is worth more itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby

import numpy as np
import numpy.typing as npt

from retrieval.families import family
from retrieval.kinds import fit
from retrieval.lexical.analysis import (
    DEFAULT,
    as_written,
    passage_terms,
    query_terms,
    terms,
)
from retrieval.lexical.language import passage_language
from retrieval.lexical.weights import rarity
from retrieval.passages import Passage
from retrieval.segmentation import is_heading, is_row, spans
from retrieval.wordcounts import Postings, bm25, postings

FAMILY = 0.4  # of the worth of a word, that a word of its family has
NEIGHBOURS = (0.4, 0.16)  # of the score of its neighbours, next and next but one, that a sentence gets
SECTION = 0.5  # of the worth of a heading within the text, that the sentences below it get
HEADING = 0.6  # of the worth of the words that a passage's title and headings have, that its sentences get
RANK = 0.05  # sentences of the passage at rank r count 1 / (1 + RANK * r), times the passage's worth
UNSCORED_RANK = 0.25  # the same, where passages have no scores
LEAST_WORTH = 0.1  # of the best passage's, that any other's is taken for
OPENING = 0.1  # of the best score, that a passage's first sentence gets: it says what the passage is of
SHORT = 1200  # characters of all passages together that need no trimming
GAP = "…"
HEADS = 0.6  # of the score of a table's heads that its rows get: they say what its figures are
MARKED, MOST_MARKED = 2, 4  # sentences marked in any case; and where further ones are strong
STRONG = 0.5  # of the best score, that makes a further sentence worth marking


@dataclass(frozen=True, slots=True)
class Sentence:
    """A range of characters of the text at place `passage`, and what it is worth (0 and more)."""

    passage: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of texts besides the texts: `heads`, their titles and headings, `worth`, how well search has found
    each (0: not known), and the `languages` they are in (English). Empty where nothing is known."""

    heads: tuple[str, ...] = ()
    worth: tuple[float, ...] = ()
    languages: tuple[str, ...] = ()

    @staticmethod
    def of(passages: Sequence[Passage]) -> "Context":
        return Context(
            tuple(f"{passage.title}\n{passage.heading}" for passage in passages),
            tuple(passage.score for passage in passages),
            tuple(passage_language(passage.text, passage.languages) for passage in passages),
        )


NOTHING = Context()


def score_sentences(question: str, texts: Sequence[str], context: Context = NOTHING) -> list[Sentence]:
    """Every sentence of every text, in text order. `texts` are passages, the best one first."""
    return list(_scored(question, tuple(texts), context))


@lru_cache(maxsize=64)
def _scored(question: str, texts: tuple[str, ...], context: Context) -> tuple[Sentence, ...]:
    """Marks, trimming and extracts of one question ask for the same."""
    languages = context.languages or (DEFAULT,) * len(texts)
    read = [_read(text, language) for text, language in zip(texts, languages, strict=True)]
    places = [(at, start, end) for at, one in enumerate(read) for start, end in one.ranges]
    if not places:
        return ()
    wanted = {language: _wanted(question, language, read) for language in dict.fromkeys(languages)}
    own = _words(wanted, read) * fit(question, [texts[at][start:end] for at, start, end in places])
    own += SECTION * _sections(own, read)
    passages = np.array([at for at, _, _ in places])
    rows = np.array([row for one in read for row in one.rows])
    scores = _with_context(own, passages, rows)
    scores += HEADING * _named(wanted, context.heads, languages, read)[passages]
    scores *= _worth(context.worth, len(texts))[passages]
    return tuple(Sentence(*place, float(score)) for place, score in zip(places, scores, strict=True))


def _wanted(question: str, language: str, read: Sequence["_Text"]) -> list[str]:
    words = [one.words for one in read if one.language == language]
    return as_written(query_terms(question, language), words, language)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text's language and its sentences: where they are, how many terms they have, which sentence is the heading
    above each (-1: none), which are rows of a table, and for each term and each beginning of a term the places of the
    sentences that have it, as often as they have it."""

    language: str
    ranges: tuple[tuple[int, int], ...]
    lengths: tuple[int, ...]
    above: tuple[int, ...]
    rows: tuple[bool, ...]
    words: Postings
    families: Postings


@lru_cache(maxsize=2048)
def _read(text: str, language: str) -> _Text:
    """The provisional and the final passages are mostly the same."""
    ranges = _ranges(text)
    found = [terms(text[start:end], language) for start, end in ranges]
    above, heading = [], -1
    for place, (start, end) in enumerate(ranges):
        heading = place if is_heading(text, start, end) else heading
        above.append(-1 if heading == place else heading)
    words, families = postings(found)
    rows = tuple(is_row(text, start) for start, _ in ranges)
    return _Text(language, ranges, tuple(map(len, found)), tuple(above), rows, words, families)


@lru_cache(maxsize=2048)
def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(spans(text))


def _words(wanted: Mapping[str, Sequence[str]], read: Sequence[_Text]) -> npt.NDArray[np.float64]:
    """What the words of each sentence are worth, those of the question's families of words less. `wanted`: the
    question's words in each language."""
    lengths = [length for one in read for length in one.lengths]
    firsts = list(accumulate((len(one.lengths) for one in read), initial=0))
    worth = np.zeros(len(lengths))
    for language, words in wanted.items():
        placed = [(first, one) for first, one in zip(firsts, read, strict=False) if one.language == language]
        families = list(dict.fromkeys(kin for word in words if (kin := family(word))))
        worth += np.array(bm25(words, [(first, one.words) for first, one in placed], lengths))
        worth += FAMILY * np.array(bm25(families, [(first, one.families) for first, one in placed], lengths))
    return worth


def _sections(own: npt.NDArray[np.float64], read: Sequence[_Text]) -> npt.NDArray[np.float64]:
    """For each sentence the own worth of the heading above it in its text."""
    first, places = 0, []
    for one in read:
        places += [first + above if above >= 0 else -1 for above in one.above]
        first += len(one.above)
    above = np.array(places)
    return np.asarray(np.where(above >= 0, own[above], 0.0))


def _named(
    wanted: Mapping[str, Sequence[str]], heads: Sequence[str], languages: Sequence[str], read: Sequence[_Text]
) -> npt.NDArray[np.float64]:
    """For each text what the question's words in its title and headings are worth: who asks for a part by its name
    wants its sentences, which need not say the name again."""
    sentences = sum(len(one.lengths) for one in read)
    worth = {
        (language, word): rarity(sentences, sum(len(set(one.words.get(word, ()))) for one in read))
        for language, words in wanted.items()
        for word in words
    }
    named = [
        sum(
            worth[language, word]
            for word in set(wanted[language]).intersection(passage_terms(head, language))
        )
        for head, language in zip(heads, languages, strict=False)
    ]
    return np.array(named) if heads else np.zeros(len(languages))


def _worth(found: Sequence[float], texts: int) -> npt.NDArray[np.float64]:
    """What the sentences of each text are multiplied by."""
    ranks = np.arange(texts)
    best = max(found, default=0.0)
    if best <= 0:
        return np.asarray(1 / (1 + UNSCORED_RANK * ranks))
    return np.asarray(np.maximum(np.array(found) / best, LEAST_WORTH) / (1 + RANK * ranks))


def _with_context(
    own: npt.NDArray[np.float64], passages: npt.NDArray[np.int64], rows: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Adds what the neighbours give, two places wide. The arrays have one entry for each sentence. A row of a table is
    of another thing than the next."""
    scores = own.copy()
    for step, share in enumerate(NEIGHBOURS, 1):
        apart = (passages[step:] != passages[:-step]) | (rows[step:] & rows[:-step])
        given = np.where(apart, 0.0, share)
        scores[step:] += given * own[:-step]
        scores[:-step] += given * own[step:]
    opens = np.concatenate([[True], passages[1:] != passages[:-1]])
    return np.asarray(scores + OPENING * own.max() * opens)


def marks(
    question: str, texts: Sequence[str], context: Context = NOTHING, *, most: int = MOST_MARKED
) -> list[list[tuple[int, int]]]:
    """For each text the character ranges of the sentences that answer best: over all texts at most `most`, more than
    MARKED only where they are strong."""
    marked: list[list[tuple[int, int]]] = [[] for _ in texts]
    found = _with_heads(score_sentences(question, texts, context), texts)
    scored = sorted((one for one in found if one.score > 0), key=lambda sentence: -sentence.score)
    for place, sentence in enumerate(scored[:most]):
        if place < MARKED or sentence.score >= STRONG * scored[0].score:
            marked[sentence.passage].append((sentence.start, sentence.end))
    return [sorted(ranges) for ranges in marked]


def _with_heads(sentences: Sequence[Sentence], texts: Sequence[str]) -> Iterator[Sentence]:
    """The sentences; the rows of a table that stand out from its others get of what its heads are worth."""
    for _, found in groupby(sentences, lambda one: (one.passage, is_row(texts[one.passage], one.start))):
        head, *rows = found
        best = max((row.score for row in rows), default=0.0)
        told = [row for row in rows if row.score >= STRONG * best > 0]
        is_table = is_row(texts[head.passage], head.start) and len(told) <= MARKED
        yield head
        for row in rows:
            yield replace(row, score=row.score + HEADS * head.score) if is_table and row in told else row


def trim(question: str, texts: Sequence[str], context: Context = NOTHING, *, share: float = 0.6) -> list[str]:
    """The texts with their weakest sentences left out, `…` in their place: about `share` of all characters
    stay.

    The best sentence always stays, a table's rows keep its header, and texts of less than SHORT characters in
    all are left as they are. A text of which nothing is worth keeping is empty."""
    total = sum(len(text) for text in texts)
    if total <= SHORT:
        return list(texts)
    room = share * total
    ranges: list[list[tuple[int, int]]] = [[] for _ in texts]
    for place, sentence in enumerate(
        sorted(score_sentences(question, texts, context), key=lambda one: -one.score)
    ):
        cost = sentence.end - sentence.start + len(GAP) + 2
        if cost <= room or place == 0:
            room -= cost
            ranges[sentence.passage].append((sentence.start, sentence.end))
    return [_joined(text, _with_headers(text, kept)) for text, kept in zip(texts, ranges, strict=True)]


def _with_headers(text: str, kept: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in text order, and for rows of a table also its first two lines, the header and its rule."""
    if not any(is_row(text, start) for start, _ in kept):
        return sorted(kept)
    header: list[tuple[int, int]] = []
    wanted = set(kept)
    for start, end in _ranges(text):
        if not is_row(text, start):
            header = []
        elif len(header) < 2:
            header.append((start, end))
        elif (start, end) in kept:
            wanted.update(header)
    return sorted(wanted)


def _joined(text: str, kept: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    reached = 0
    for start, end in kept:
        between = text[reached:start]
        parts.append(f" {GAP} " if between.strip() else between)
        parts.append(text[start:end])
        reached = end
    if kept and text[reached:].strip():
        parts.append(f" {GAP}")
    return "".join(parts).strip()
