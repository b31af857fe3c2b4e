"""Keeps a process's lexical index in step with Postgres, from a thread of its own.

With tantivy one process of a host writes the folder and the others read it; which one is settled by a file
lock, so another takes over when the writer dies. With rank_bm25 each process has its own index in memory.
Either way the index is a copy: when it is missing, damaged, of another version or another database, it is
made anew from Postgres, and what is there so far answers meanwhile, marked `partial`."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.bm25 import BM25Index
from retrieval.lexical.home import Home, State, fresh
from retrieval.lexical.served import Index, ServedIndex, noted, politely
from retrieval.lexical.source import KEPT_DAYS, Source
from retrieval.lexical.tantivy import TantivyIndex

logger = logging.getLogger(__name__)

POLL = 0.5  # seconds between two looks at Postgres when nothing is announced
READ_POLL = 0.2  # seconds between two looks of a reader at the folder
RETRY = 1.0  # seconds after a failure
GATHER = 0.25  # seconds between two applications of changes: many small ones would keep questions waiting
BATCH = 200  # documents a commit
FIRST, MOST = 2_000, 100_000  # chunks of a rebuild's first and largest commits; each is twice the one before
PRUNE_EVERY = 3600.0  # seconds


class Follower:
    """`folder` is None for an index in memory. `on_lag` hears, in seconds, how old the oldest change is
    that is not searchable yet. `start` it once a process, `stop` it at the end."""

    def __init__(
        self,
        conninfo: str,
        *,
        folder: Path | None,
        engine: str = "tantivy",
        on_lag: Callable[[float], None] = lambda seconds: None,
        poll: float = POLL,
    ) -> None:
        self.index = ServedIndex()
        self.rebuilding = True
        self.lag_seconds = 0.0
        self._conninfo, self._engine, self._poll = conninfo, engine, poll
        self._home = Home(folder) if folder is not None and engine == "tantivy" else None
        self._on_lag = on_lag
        self._stopping = threading.Event()
        self._moved = threading.Condition()
        self._state: State | None = None
        self._stamp: tuple[int, int] | None = None
        self._seen: set[int] = set()
        self._pruned_at = -PRUNE_EVERY
        self._thread = threading.Thread(target=self._run, name="lexical-follower", daemon=True)

    @property
    def revision(self) -> object:
        """Names what is searched now: it changes whenever a change of the documents has come in."""
        state = self._state
        # Not the horizon alone: it stands still while any transaction is open, and changes come in all the same.
        return (state.name, state.horizon, state.saved_at, self._stamp) if state else None

    def revision_of(self, scope: AccessScope) -> object:
        """Names what is searched in these collections: it changes with their documents, and with no others, or the time
        that a search takes would tell its asker that something has come where they may not read."""
        state = self._state
        if state is None:
            return None
        numbers = (state.changed.get(str(each), 0) for each in scope.collection_ids)
        return state.name, state.complete, max(numbers, default=0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the folder is free for another process, after at most about a second."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def wait_for(self, done: Callable[[], bool], timeout: float) -> bool:
        """Waits until `done` holds, asked after every step of the follower. `timeout` in seconds."""
        with self._moved:
            return self._moved.wait_for(done, timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._home is None or self._home.take():
                    self._write()
                else:
                    self._read(self._home)
            except (psycopg.Error, LexicalError, OSError) as error:
                logger.warning("The lexical index cannot follow, and tries again: %s", error)
                self._stopping.wait(RETRY)
            except Exception:  # or nothing would be found any more that is added from here on
                logger.exception("unexpected")
                self._stopping.wait(RETRY)
        self._close()

    def _close(self) -> None:
        if isinstance(self.index.index, TantivyIndex):
            self.index.index.close()
        if self._home is not None:
            self._home.release()

    # Reading: another process writes.

    def _read(self, home: Home) -> None:
        state = home.state()
        stamp = home.stamp(state.name) if state else None
        served = self.index.index
        if state and stamp and (state.complete or served is None or served.partial):
            if self._state is None or served is None or state.name != self._state.name:
                self._serve(TantivyIndex(home.path(state.name)), state)
            elif stamp != self._stamp and isinstance(served, TantivyIndex):
                served.reload()
            self._state, self._stamp = state, stamp
            self._partial(not state.complete)
        looked = home.looked()
        self._lag(max(0.0, looked - 2 * self._poll) if looked is not None else 0.0)
        self._stopping.wait(READ_POLL)

    # Writing.

    def _write(self) -> None:
        with Source(self._conninfo) as source:
            state = self._resumed(source)
            if state is None:
                state = self._rebuilt(source)
            while not self._stopping.is_set() and (self._home is None or self._home.is_ours()):
                began, before = time.monotonic(), state
                state = self._applied(source, state)
                if self.index.damaged.is_set():
                    state = self._rebuilt(source)
                self._prune(source)
                source.wait(self._poll)
                if state is not before:
                    self._stopping.wait(began + GATHER - time.monotonic())

    def _resumed(self, source: Source) -> State | None:
        """The state to go on from; None when the index must be made anew."""
        state = self._state if self._home is None else self._home.state()
        if state is None or not state.complete or state.database != source.identity():
            return None
        too_old = time.time() - state.saved_at > (KEPT_DAYS - 1) * 86_400
        if too_old or state.horizon > source.horizon() or self.index.damaged.is_set():
            return None
        if self._home is not None and self._home.stamp(state.name) is None:
            return None
        if self._home is not None and (self._state is None or self._state.name != state.name):
            try:
                self._serve(TantivyIndex(self._home.path(state.name)), state)
            except LexicalError as error:
                logger.warning("The lexical index is damaged and is made anew: %s", error)
                return None
        self._partial(False)
        return state

    def _rebuilt(self, source: Source) -> State:
        """Makes the index anew. An older whole index goes on answering until the new one is whole."""
        started = time.monotonic()
        self.rebuilding = True
        name = fresh()
        index = self._new(name)
        horizon, chunks = source.everything()
        state = State(name, source.identity(), horizon, complete=False, saved_at=time.time())
        index.partial = True
        whole = self.index.index is not None and not self.index.index.partial
        keep_old = whole and not self.index.damaged.is_set()
        self._save(state)
        if not keep_old:
            self._serve(index, state)
        count = self._fill(index, chunks)
        self.index.damaged.clear()
        state = replace(state, complete=True, saved_at=time.time())
        self._save(state)
        index.partial = False
        self._serve(index, state)
        self._seen.clear()
        if self._home:
            self._home.clear(keep=name)
        seconds = time.monotonic() - started
        logger.info("The lexical index was made anew: %s chunks in %.1f s.", f"{count:,}", seconds)
        self._partial(False)
        return state

    def _new(self, name: str) -> Index:
        if self._engine == "rank_bm25":
            return BM25Index()
        return TantivyIndex(self._home.path(name) if self._home else None)

    def _fill(self, index: Index, chunks: Iterator[IndexedChunk]) -> int:
        """Adds all chunks in commits that grow: something is found at once, and few commits are made."""
        size = FIRST
        while first := next(chunks, None):
            if self._stopping.is_set():
                raise LexicalError("stopped while the index was being made")
            # Not a list of them: the next ones are read and prepared while tantivy takes up the last ones.
            index.append(politely(itertools.chain([first], itertools.islice(chunks, size - 1))))
            size = min(size * 2, MOST)
            self._moved_on()
        return len(index)

    def _applied(self, source: Source, state: State) -> State:
        changes, horizon = source.changes(state.horizon)
        new = [change for change in changes if change.id not in self._seen]
        self._lag(max((change.age for change in new), default=0.0))
        documents = list(dict.fromkeys(change.document for change in new))
        touched: set[int] = set()
        for at in range(0, len(documents), BATCH):
            touched |= self._replace(source, documents[at : at + BATCH])
        self._seen = {change.id for change in changes if change.transaction >= horizon}
        if new or (horizon != state.horizon and time.time() - state.saved_at > 60):
            changed = state.after(touched)
            state = replace(state, horizon=horizon, saved_at=time.time(), changed=changed)
            self._save(state)
        elif self._home:
            self._home.look()
        self._lag(0.0)
        return state

    def _replace(self, source: Source, documents: Sequence[str]) -> set[int]:
        """Takes up what the documents are now. Gives the collections in which they are, or from which they are gone."""
        index = self.index.index
        if index is None:
            raise LexicalError("There is no index to apply a change to.")
        before, touched = index.counts(), set[int]()
        index.replace(documents, noted(politely(source.chunks_of(documents)), touched))
        after = index.counts()
        return touched | {
            each for each in before.keys() | after.keys() if before.get(each) != after.get(each)
        }

    def _prune(self, source: Source) -> None:
        if time.monotonic() - self._pruned_at > PRUNE_EVERY:
            source.prune()
            self._pruned_at = time.monotonic()

    # What others see.

    def _save(self, state: State) -> None:
        if self._home:
            self._home.save(state)
        self._state = state

    def _serve(self, index: Index, state: State) -> None:
        previous = self.index.index
        self.index.index, self._state = index, state
        self._stamp = None
        if isinstance(previous, TantivyIndex) and previous is not index:
            previous.close()
        self._moved_on()

    def _partial(self, partial: bool) -> None:
        if self.index.index is not None:
            self.index.index.partial = partial
        self.rebuilding = partial
        self._moved_on()

    def _lag(self, seconds: float) -> None:
        self.lag_seconds = seconds
        self._on_lag(seconds)
        self._moved_on()

    def _moved_on(self) -> None:
        with self._moved:
            self._moved.notify_all()
