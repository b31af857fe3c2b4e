"""What the lexical index is told, read from Postgres: all chunks, or those of documents that changed.

A change is a row of `retrieval_change`, written by the transaction that made it, so rows appear in the
order of commits and not of their ids. `horizon` is therefore a transaction id below which every transaction
has ended: all their rows are known. Rows above it may be seen before that; they are applied at once and
remembered until the horizon has passed them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from retrieval.lexical import IndexedChunk
from retrieval.postgres.connections import Connection

CHANNEL = "retrieval_change"
"""On which the followers wait for changes."""

FETCHED = 500  # rows a fetch
KEPT_DAYS = 7  # how long changes are kept; an index that is further behind is rebuilt

CHUNKS = """
    SELECT c.id, c.document_id::text, c.collection_id, COALESCE(NULLIF(d.title, ''), d.name), c.heading,
    c.text, l.languages FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id JOIN
    retrieval_collection l ON l.id = c.collection_id
"""
CHANGES = """
    SELECT h.horizon, c.id, c.document_id::text, c.transaction::text::bigint,
           extract(epoch FROM clock_timestamp() - c.created_at)::float8
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) h
    LEFT JOIN retrieval_change c ON c.transaction >= %s::text::xid8
    ORDER BY c.id
"""
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
IDENTITY = """
    SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
"""
PRUNE = """
    DELETE FROM retrieval_change
    WHERE created_at < now() - make_interval(days => %s)
       OR transaction >= pg_snapshot_xmax(pg_current_snapshot())
"""
"""Also what no transaction of this server has written yet: it came with a backup from one that was further on, and
would be read at every look until this one is as far."""


@dataclass(frozen=True, slots=True)
class Change:
    """`age` in seconds, when it was read."""

    id: int
    document: str
    transaction: int
    age: float


class Source:
    """One connection of its own, for a thread of its own. Raises psycopg.Error."""

    def __init__(self, conninfo: str) -> None:
        self._connection = Connection.connect(
            conninfo, autocommit=True, application_name="citefirst-lexical", connect_timeout=5
        )
        self._connection.execute(f"LISTEN {CHANNEL}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def identity(self) -> str:
        """Names this very database, so that another one's index is not taken for this one's."""
        return str(self._value(IDENTITY))

    def horizon(self) -> int:
        return int(str(self._value(HORIZON)))

    def changes(self, horizon: int) -> tuple[list[Change], int]:
        """The changes that are visible and not below `horizon`, and the horizon of this very look."""
        rows = self._connection.execute(CHANGES, (str(horizon),)).fetchall()
        return [Change(*row[1:]) for row in rows if row[1] is not None], rows[0][0]

    def chunks_of(self, documents: Sequence[str]) -> Iterator[IndexedChunk]:
        """What the documents' chunks are now; nothing for a document that is gone."""
        yield from self._chunks(f"{CHUNKS} WHERE c.document_id = ANY(%s::uuid[])", (list(documents),))

    def everything(self) -> tuple[int, Iterator[IndexedChunk]]:
        """The horizon, and then all chunks. What is committed between the two is seen twice, never not at
        all."""
        return self.horizon(), self._chunks(CHUNKS, ())

    def prune(self) -> None:
        self._connection.execute(PRUNE, (KEPT_DAYS,))

    def wait(self, seconds: float) -> None:
        """Until a change is announced, at most `seconds`."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            return

    def _chunks(self, query: str, parameters: tuple[object, ...]) -> Iterator[IndexedChunk]:
        connection = self._connection
        with connection.transaction(), connection.cursor(name="citefirst_lexical") as cursor:
            cursor.itersize = FETCHED
            cursor.execute(query, parameters)
            for chunk, document, collection, title, heading, text, languages in cursor:
                yield IndexedChunk(
                    chunk, document, collection, title, heading, text, tuple(languages) or ("en",)
                )

    def _value(self, query: str) -> object:
        row = self._connection.execute(query).fetchone()
        return row[0] if row else None
