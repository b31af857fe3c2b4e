"""The folder of the lexical index on this host: which subfolder is served, how far it is, and who may write.

DATA_DIR/lexical/writer.lock    held by the one process that writes; the kernel frees it when that process dies
DATA_DIR/lexical/state.json     the State; its time of change tells when the writer last looked for changes
DATA_DIR/lexical/<name>/        a tantivy index
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from retrieval.lexical.tantivy import COMMITS, SCHEMA_VERSION

STATE = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """Of the index in subfolder `name`: every change below `horizon` is in it. It is written after the commit
    it speaks of, so after a crash some changes are applied again, which changes nothing. `changed`: collection -> the
    number of the last change there."""

    name: str
    database: str
    horizon: int
    complete: bool
    saved_at: float
    schema: int = SCHEMA_VERSION
    changed: Mapping[str, int] = field(default_factory=dict)

    def after(self, collections: Iterable[int]) -> Mapping[str, int]:
        """`changed`, once these have changed together."""
        number = max(self.changed.values(), default=0) + 1
        return {**self.changed, **{str(each): number for each in collections}}


def fresh() -> str:
    """The name of a new index, and its subfolder."""
    return f"index-{uuid4().hex[:12]}"


class Home:
    """One host's folder. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    def take(self) -> bool:
        """Tries to become the one that writes, without waiting."""
        if self.is_ours():
            return True
        self.release()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / "writer.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def is_ours(self) -> bool:
        """Whether the lock is held, and is still the file that others would lock: the folder may be
        deleted."""
        if self._lock is None:
            return False
        try:
            return os.fstat(self._lock).st_ino == (self.folder / "writer.lock").stat().st_ino
        except FileNotFoundError:
            return False

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def state(self) -> State | None:
        """None when there is none, or none that this version can read."""
        try:
            state = State(**json.loads((self.folder / STATE).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return state if state.schema == SCHEMA_VERSION else None

    def save(self, state: State) -> None:
        passing = self.folder / f"{STATE}.new"
        passing.write_text(json.dumps(asdict(state)))
        passing.replace(self.folder / STATE)

    def look(self) -> None:
        """Notes that the writer has just looked for changes."""
        os.utime(self.folder / STATE)

    def looked(self) -> float | None:
        """Seconds since the writer looked for changes; None when nobody ever did."""
        try:
            return max(0.0, time.time() - (self.folder / STATE).stat().st_mtime)
        except FileNotFoundError:
            return None

    def path(self, name: str) -> Path:
        return self.folder / name

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Changes with every commit to the index; None when it is not there."""
        try:
            found = (self.folder / name / COMMITS).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def clear(self, keep: str) -> None:
        """Deletes the other indexes. Readers that still have one open go on reading it."""
        for path in self.folder.glob("index-*"):
            if path.name != keep:
                shutil.rmtree(path, ignore_errors=True)
