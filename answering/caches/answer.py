"""Answers that may serve again. They live in Postgres, beside what they rest on
(docs/decisions/answer-cache.md).

Served as the answer only if all of this holds: the asker has the same scope, and profile, as who asked first;
the question says the same, word for word (`normalise.signature`); prompt and model are the same; neither
conversation has an earlier turn; every passage the model was given is readable now and unchanged, by content
hash; the words of the new question still find what the answer cites, and find nothing that was published
or moved since. Ingestion drops the entries that cite what it changes, in its own transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from answering.caches import questions
from answering.caches.embedding import Outcome
from answering.prompt import PROMPT_VERSION
from answering.resilience.singleflight import SingleFlight
from answering.stages import Question
from retrieval import database, passages
from retrieval.access import AccessScope
from retrieval.errors import RetrievalError
from retrieval.passages import Passage, Ranking

if TYPE_CHECKING:
    from answering.reply import Reply

logger = logging.getLogger(__name__)

TTL = 7 * 24 * 3600
MOST = 50_000
"""Entries, over all scopes."""

PRUNED_EVERY = 200
LONGEST = 20_000
NEWEST = 5
"""Of the new question's first so many chunks none may be younger than the answer."""

SIMILAR = 0.6
"""Share of content words that two questions have in common, from which one's answer may be offered,
labelled."""

_PROFILE = """coalesce((SELECT md5(concat_ws('|', role, location, about)) FROM answering_profile
    WHERE user_id = {user} AND role || location || about <> ''), '')"""
_FIRST_TURN = """NOT EXISTS (SELECT 1 FROM answering_run r
    WHERE r.conversation_id = '{conversation}' AND r.id <> '{run}')"""
_COLUMNS = "text, numbers, chunks, hashes, cited, exact, extract(epoch FROM asked_at)::float8"
_FIND = f"""SELECT {_COLUMNS}, false AS alike FROM answering_cachedanswer
    WHERE key = '{{key}}' AND profile = {_PROFILE} AND asked_at > now() - interval '{{ttl}} seconds'
    AND {_FIRST_TURN}"""
_SIMILAR = f"""(SELECT {_COLUMNS}, true FROM (
        SELECT *, cardinality(ARRAY(SELECT unnest(words) INTERSECT SELECT unnest({{words}})))::float8 AS shared
        FROM (SELECT * FROM answering_cachedanswer WHERE family = '{{family}}' AND profile = {_PROFILE}
              AND asked_at > now() - interval '{{ttl}} seconds' ORDER BY asked_at DESC LIMIT 500) newest) scored
    WHERE shared >= {{share}} * (cardinality(words) + {{count}} - shared)
    ORDER BY shared / (cardinality(words) + {{count}} - shared) DESC, asked_at DESC LIMIT 1)"""
# Published since, or moved to where the asker reads. Ten seconds of doubt: a document that was being published
# while the first question was answered is newer.
_NEWER = """SELECT 1 FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id
    WHERE c.id = ANY({chunks}) AND d.changed_at > to_timestamp({asked}) - interval '10 seconds' LIMIT 1"""
_STORE = """INSERT INTO answering_cachedanswer
        (key, profile, exact, family, words, text, numbers, chunks, hashes, cited, documents, asked_at)
    SELECT %(key)s, {profile}, %(exact)s, %(family)s, %(words)s, %(text)s, %(numbers)s, %(chunks)s, %(hashes)s,
        %(cited)s, %(documents)s::uuid[], run.created_at
    FROM answering_run run WHERE run.id = %(run)s AND {first_turn}
    ON CONFLICT (key, profile) DO UPDATE SET exact = excluded.exact, text = excluded.text,
        numbers = excluded.numbers, chunks = excluded.chunks, hashes = excluded.hashes,
        cited = excluded.cited, documents = excluded.documents, asked_at = excluded.asked_at"""
_PRUNE = """DELETE FROM answering_cachedanswer WHERE asked_at < now() - make_interval(secs => %(ttl)s)
    OR asked_at < (SELECT asked_at FROM answering_cachedanswer
                   ORDER BY asked_at DESC OFFSET %(last)s LIMIT 1)"""


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer with the passages that the model was given, under its numbers. `match` is `exact` (the same
    text), `same` (the same words) or `similar` (to be offered with that label only)."""

    text: str
    passages: tuple[tuple[int, Passage], ...]
    cited: tuple[int, ...]
    match: str


class AnswerCache:
    """Raises nothing: what fails is a miss, counted as `error`."""

    def __init__(
        self,
        pool: database.Pool,
        *,
        model: str,
        on_result: Outcome,
        timeout: float = 0.1,
        ttl: int = TTL,
        most: int = MOST,
    ) -> None:
        self._pool = pool
        self._on_result = on_result
        self._timeout = timeout
        self._ttl = ttl
        self._most = most
        self._variant = f"{PROMPT_VERSION}\x1f{model}"
        self._stored = 0
        self._looking: SingleFlight[str, list[database.Row]] = SingleFlight()
        self._writes: set[asyncio.Task[None]] = set()

    async def find(self, question: Question, words: "asyncio.Task[Ranking | None]") -> CachedAnswer | None:
        """The answer that may be given to `question` as it is. `words` is its lexical ranking, awaited only
        where an entry is found; without one (the index failed) the very same text is still answered, like
        text is not."""
        keys = questions.keys(question.text, question.scope, self._variant)
        if keys is None:
            return None
        return await self._counted("answer", self._find(question, keys, words))

    async def similar(self, question: Question) -> CachedAnswer | None:
        """The answer to the question most like this one, for when nothing better is left. Numbers, names of
        codes and negations agree; a reader must be told that it answers another question."""
        keys = questions.keys(question.text, question.scope, self._variant)
        if keys is None or not keys.words:
            return None
        return await self._counted("similar", self._similar(question, keys))

    def remember(self, question: Question, reply: "Reply") -> None:
        """Keeps a whole, undegraded answer of a model, beside the question path."""
        keys = questions.keys(question.text, question.scope, self._variant)
        if keys is None or not reply.cited or reply.provisional or len(reply.text) > LONGEST:
            return
        task = asyncio.create_task(self._store(question, keys, reply))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def aclose(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._writes, return_exceptions=True)

    async def _counted(
        self, cache: str, work: Awaitable[tuple[str, CachedAnswer | None]]
    ) -> CachedAnswer | None:
        try:
            result, found = await work
        except RetrievalError as error:
            logger.info("The answer cache cannot be read: %s", error)
            result, found = "error", None
        self._on_result(cache, result)
        return found

    async def _find(
        self, question: Question, keys: questions.Keys, words: "asyncio.Task[Ranking | None]"
    ) -> tuple[str, CachedAnswer | None]:
        rows = [row for row in await self._looked_up(question, keys) if not row[-1]]
        if not rows:
            return "miss", None
        match = "exact" if rows[0][5] == keys.exact else "same"
        cached = await self._unchanged(rows[0], question.scope, match)
        if cached is None or not await self._evident(cached, rows[0][6], words):
            return "stale", None
        return "hit", cached

    async def _similar(self, question: Question, keys: questions.Keys) -> tuple[str, CachedAnswer | None]:
        rows = [row for row in await self._looked_up(question, keys) if row[-1]]
        if not rows:
            return "miss", None
        cached = await self._unchanged(rows[0], question.scope, "similar")
        return ("hit", cached) if cached else ("stale", None)

    async def _looked_up(self, question: Question, keys: questions.Keys) -> list[database.Row]:
        """The entry of the question, and the one most like it. Both are wanted at once, so it is one round trip."""
        sql = f"{_FIND} UNION ALL {_SIMILAR}".format(
            key=keys.key,
            ttl=self._ttl,
            user=int(question.user),
            conversation=UUID(question.conversation),
            run=UUID(question.run),
            family=keys.family,
            words=database.numbers(keys.words),
            count=len(keys.words),
            share=SIMILAR,
        )
        look = partial(database.fetch, self._pool, sql, timeout=self._timeout)
        return await self._looking.do(question.run, look)

    async def _unchanged(self, row: Sequence[Any], scope: AccessScope, match: str) -> CachedAnswer | None:
        """The entry with its passages as they are now; None if one is gone, out of reach or changed."""
        text, numbers, chunks, hashes, cited = row[:5]
        known = await passages.load(self._pool, chunks, scope, timeout=self._timeout)
        if any(
            chunk not in known or known[chunk].content_hash != was
            for chunk, was in zip(chunks, hashes, strict=True)
        ):
            return None
        numbered = tuple((n, known[chunk]) for n, chunk in zip(numbers, chunks, strict=True))
        return CachedAnswer(text, numbered, tuple(cited), match)

    async def _evident(
        self, cached: CachedAnswer, asked: float, words: "asyncio.Task[Ranking | None]"
    ) -> bool:
        """Whether the new question's words find what is cited, and nothing that the answer could not have
        known."""
        # Shielded: the ranking belongs to the question and outlives a look-up that takes too long.
        ranking = await asyncio.shield(words)
        if ranking is None:
            return cached.match == "exact"
        rest_on = {passage.chunk for n, passage in cached.passages if n in cached.cited}
        if not rest_on <= set(ranking.chunks):
            return False
        first = database.numbers(ranking.chunks[:NEWEST])
        sql = _NEWER.format(chunks=first, asked=float(asked))
        return not await database.fetch(self._pool, sql, timeout=self._timeout)

    async def _store(self, question: Question, keys: questions.Keys, reply: "Reply") -> None:
        given = [passage for _, passage in reply.passages]
        values = {
            "key": keys.key,
            "exact": keys.exact,
            "family": keys.family,
            "words": list(keys.words),
            "text": reply.text,
            "numbers": [n for n, _ in reply.passages],
            "chunks": [passage.chunk for passage in given],
            "hashes": [passage.content_hash for passage in given],
            "cited": list(reply.cited),
            "documents": sorted({passage.document for passage in given}),
            "run": question.run,
        }
        profile = _PROFILE.format(user=int(question.user))
        first_turn = _FIRST_TURN.format(conversation=UUID(question.conversation), run=UUID(question.run))
        sql = _STORE.format(profile=profile, first_turn=first_turn)
        try:
            async with self._pool.connection(timeout=5.0) as connection:
                await connection.execute(sql.encode(), values)
                self._stored += 1
                if self._stored % PRUNED_EVERY == 1:
                    await connection.execute(_PRUNE, {"ttl": self._ttl, "last": self._most - 1})
        except psycopg.Error as error:
            logger.warning("An answer was not kept for later: %s", type(error).__name__)


def invalidate(cursor: psycopg.Cursor[Any], documents: Sequence[UUID]) -> None:
    """Drops every answer that rests on `documents`, in the transaction that changes them."""
    cursor.execute("DELETE FROM answering_cachedanswer WHERE documents && %s::uuid[]", [list(documents)])


def on_publish(cursor: psycopg.Cursor[Any], document: UUID, gone: frozenset[str]) -> None:
    """What ingestion calls in its transaction for each document that it publishes, moves or deletes."""
    invalidate(cursor, [document])
