"""Runs and conversations in Postgres, without the ORM: this is on the question path."""

import hashlib
import uuid
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from answering import statements
from answering.errors import NotFound, StoreUnavailable
from answering.events import Frame
from answering.gists import gist
from answering.prompt import Turn
from answering.stages import Question
from retrieval.access import SCOPE_SQL, AccessScope, narrowed
from retrieval.database import within
from retrieval.passages import chunk_of

T = TypeVar("T")
Pool: TypeAlias = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

TURNS = 4
"""How many of the last turns may go into a prompt as they were."""

OLDER = 8
"""How many turns before those are told by their gist."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as it comes in, before anything is known of it."""

    run: str
    user: int
    text: str
    conversation: str | None = None
    collections: tuple[str, ...] | None = None
    fresh: bool = False
    priority: str = "interactive"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was stored of an Ask. `new` is false where this id ran before: it never runs twice.
    `opened`: the conversation begins with it. `profile`: what the asker says of themselves."""

    conversation: str
    scope: AccessScope
    new: bool
    opened: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The last turns of a conversation, oldest first; what came before them; what the asker says of themselves.

    `chunks` are the chunks that the last answer cited, found again by their address."""

    turns: tuple[Turn, ...] = ()
    summary: str = ""
    profile: str = ""
    chunks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that is not stored yet."""

    question: Question
    record: Mapping[str, Any]

    def readable(self, following: Question) -> bool:
        """Whether who asks the following question could read then what they can read now: nothing was taken away."""
        has_it = (
            self.question.user == following.user
            and self.record.get("answer")
            and self.record["status"] == "done"
        )
        return bool(has_it) and self.question.scope.collection_ids <= following.scope.collection_ids

    @property
    def row(self) -> dict[str, Any]:
        run, text = UUID(self.question.run), self.question.text
        return {
            "id": run,
            "question": text,
            "gist": "",
            **{k: self.record[k] for k in ("answer", "citations")},
        }


class RunStore:
    """Raises StoreUnavailable where Postgres does not answer within `timeout` seconds, pool wait and all."""

    def __init__(self, pool: Pool, *, owner: str, timeout: float = 2.0) -> None:
        self.pool = pool
        self.owner = owner
        self.timeout = timeout
        self._finishing: dict[str, Late] = {}

    @contextmanager
    def finishing(self, question: Question, record: Mapping[str, Any]) -> Iterator[None]:
        """While an answer that its asker has already is on its way into the store: it is in the `history` of a question
        that follows at once."""
        late = self._finishing[question.conversation] = Late(question, record)
        try:
            yield
        finally:
            if self._finishing.get(question.conversation) is late:
                del self._finishing[question.conversation]

    async def _within(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await within(work, self.timeout)
        except (psycopg.Error, PoolTimeout, PoolClosed, TimeoutError) as error:
            raise StoreUnavailable from error

    async def _all(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        return await self._within(self._rows(sql, values))

    async def _rows(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.pool.connection(timeout=self.timeout) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(sql, values)
            return await cursor.fetchall() if cursor.description else []

    async def begin(self, ask: Ask) -> Begun:
        """Stores the question and fixes what its asker may read, in one transaction.

        Raises NotFound where the conversation, or a run of this id, is another's."""
        conversation = ask.conversation or str(uuid.uuid4())
        values: dict[str, Any] = {
            "run": ask.run,
            "user": ask.user,
            "conversation": conversation,
            "title": title_of(ask.text),
            "question": ask.text,
            "collections": None if ask.collections is None else as_json(list(ask.collections)),
            "fresh": ask.fresh,
            "priority": ask.priority,
            "owner": self.owner,
        }
        return await self._within(self._begin(ask, conversation, values))

    async def _begin(self, ask: Ask, conversation: str, values: dict[str, Any]) -> Begun:
        async with self.pool.connection(timeout=self.timeout) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row = await (await cursor.execute(statements.BEGIN, values)).fetchone()
            # Perhaps another question has opened it in this moment.
            if row and not row["own"] and row["old_user"] is None:
                row = await (await cursor.execute(statements.BEGIN, values)).fetchone()
        assert row is not None
        scope = narrowed([(pk, slug) for pk, slug in row["scope"]], ask.collections)
        if row["old_user"] is not None:
            if row["old_user"] != ask.user:
                raise NotFound("This id cannot be used.")
            return Begun(row["old_conversation"], scope, new=False)
        if not row["own"]:
            raise NotFound("There is no such conversation.")
        if row["opened"] and not row["new"]:  # another process was given this id in the same moment
            await cursor.execute(statements.UNOPEN, {"conversation": conversation})
        profile = told(row["profile"] or ())
        return Begun(conversation, scope, new=row["new"], opened=row["opened"], profile=profile)

    async def finish(self, run: str, values: dict[str, Any]) -> bool:
        """Stores the end of a run; false where it is no longer ours."""
        stored = {
            key: as_json(value) if isinstance(value, list) else value for key, value in values.items()
        } | {"run": run, "owner": self.owner}
        return await self._within(self._finish(stored))

    async def _finish(self, stored: dict[str, Any]) -> bool:
        async with self.pool.connection(timeout=self.timeout) as connection:
            cursor = await connection.execute(statements.FINISH, stored)
            return cursor.rowcount == 1

    async def history(self, question: Question) -> History:
        """The conversation so far, as far as the asker may still read it, and the asker's profile. Asks Postgres
        for what the question does not bring along."""
        if question.opens and question.profile is not None:
            return History(profile=question.profile)
        values = {
            "run": question.run,
            "user": question.user,
            "conversation": question.conversation,
            "scope": list(question.scope.collection_ids),
            "most": TURNS + OLDER,
        }
        late = self._finishing.get(question.conversation)
        rows = [] if question.opens else await self._all(statements.TURNS, values)
        if late is not None and late.readable(question) and all(row["id"] != late.row["id"] for row in rows):
            rows = [late.row, *rows][: TURNS + OLDER]
        profile = question.profile
        if profile is None:
            profiles = await self._all(statements.PROFILE, values)
            profile = told(profiles[0].values()) if profiles else ""
        return History(
            turns=tuple(Turn(row["question"], row["answer"]) for row in reversed(rows[:TURNS])),
            summary="\n".join(
                row["gist"] or gist(row["question"], row["answer"]) for row in reversed(rows[TURNS:])
            ),
            profile=profile,
            chunks=_chunks(rows[0]["citations"]) if rows else (),
        )

    async def questions(self, conversation: str, user: int) -> tuple[str, ...]:
        """What the user asked last in a conversation of theirs, oldest first."""
        values = {"conversation": conversation, "user": user, "most": TURNS}
        return tuple(row["question"] for row in await self._all(statements.QUESTIONS, values))

    async def fallen_turn(self, conversation: str) -> tuple[str, str, str] | None:
        """(run, question, answer) of the turn that is no longer told in full and has no gist yet."""
        rows = await self._all(statements.FALLEN, {"conversation": conversation, "most": TURNS})
        return (str(rows[0]["id"]), rows[0]["question"], rows[0]["answer"]) if rows else None

    async def set_gist(self, run: str, text: str) -> None:
        await self._all(
            "UPDATE answering_run SET gist = %(gist)s WHERE id = %(run)s", {"run": run, "gist": text}
        )

    async def may_replay(self, user: int, frames: Sequence[Frame]) -> bool:
        """Whether the reader may still read every passage that these frames show."""
        shown = {p["document"] for f in frames if f["type"] == "citations" for p in f["passages"]}
        scope = await self.scope(user)
        rows = await self._all(
            statements.READABLE, {"documents": list(shown), "scope": list(scope.collection_ids)}
        )
        return bool(rows[0]["hidden"] == 0)

    async def run(self, run: str, user: int) -> dict[str, Any]:
        """The stored run. Raises NotFound where there is none, or it is another's."""
        rows = await self._all(
            "SELECT * FROM answering_run WHERE id = %(run)s AND user_id = %(user)s",
            {"run": run, "user": user},
        )
        if not rows:
            raise NotFound
        return rows[0]

    async def scope(self, user: int, collections: Sequence[str] | None = None) -> AccessScope:
        rows = await self._all(SCOPE_SQL, {"user": user})
        return narrowed([(row["id"], row["slug"]) for row in rows], collections)

    async def user_of_token(self, token: str) -> int | None:
        """Whose token this is; None where it is nobody's."""
        rows = await self._all(statements.TOKEN_USER, {"hash": hashlib.sha256(token.encode()).hexdigest()})
        return int(rows[0]["id"]) if rows else None

    async def has_session(self, key: str, user: int, password: str) -> bool:
        """Whether who logged in with this session, when this was the hash of their password, has not logged out since,
        nor has it expired, nor was the account switched off."""
        return bool(await self._all(statements.SESSION, {"key": key, "user": user, "password": password}))

    async def running(self) -> list[tuple[str, str]]:
        """(run, owner) of the runs that have not ended."""
        return [(str(row["id"]), row["owner"]) for row in await self._all(statements.ORPHANS, {})]

    async def claim(self, run: str, previous: str) -> dict[str, Any] | None:
        """Takes over the run of a process that is gone; None where another was quicker."""
        rows = await self._all(statements.CLAIM, {"run": run, "previous": previous, "owner": self.owner})
        return rows[0] if rows else None


def title_of(question: str) -> str:
    """What a conversation is called that begins with this question."""
    return " ".join(question.split())[:120]


def as_json(value: list[Any]) -> Jsonb:
    return Jsonb(value, orjson.dumps)


def told(profile: Iterable[str]) -> str:
    """What a profile says, in one line."""
    return ", ".join(text for text in profile if text)


def _chunks(passages: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    return tuple(chunk_of(passage["url"]) for passage in passages)
