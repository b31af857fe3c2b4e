"""Postgres refuses to run as root. For root the bundled servers run as an unprivileged account that is there
anyway, which must be able to reach its data and its programs, and gets no more than that."""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qa_site.errors import NoAccount

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the bundled servers run as; `user`, `group` and `extra_groups` are options of `subprocess`."""

    uid: int
    gid: int
    switch: bool

    @property
    def user(self) -> int | None:
        return self.uid if self.switch else None

    @property
    def group(self) -> int | None:
        return self.gid if self.switch else None

    @property
    def extra_groups(self) -> list[int] | None:
        return [] if self.switch else None

    @property
    def name(self) -> str:
        return pwd.getpwuid(self.uid).pw_name

    def own(self, path: Path) -> None:
        """Hands `path` and all in it to this account."""
        if not self.switch:
            return
        for item in [path, *path.rglob("*")]:
            if item.lstat().st_uid != self.uid:
                os.chown(item, self.uid, self.gid, follow_symlinks=False)


def server_account() -> Account:
    """Us, or for root the first of `postgres` and `nobody`."""
    if os.getuid() != 0:
        return Account(os.getuid(), os.getgid(), switch=False)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise NoAccount("Postgres does not run as root, and there is no `postgres` or `nobody` to run it as.")


def open_the_way(account: Account, target: Path) -> list[Path]:
    """Lets `account` pass through the folders above `target` (search, not list); returns those changed."""
    if not account.switch:
        return []
    changed = []
    for folder in reversed(target.resolve().parents):
        status = folder.stat()
        if not _may_search(account, status):
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
            changed.append(folder)
    return changed


def make_readable(account: Account, programs: Path) -> None:
    """An install under a strict umask is its owner's alone: lets everyone read these public programs."""
    if not account.switch:
        return
    for item in _with_content(programs):
        mode = stat.S_IMODE(item.stat().st_mode)
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode != wanted:
            item.chmod(wanted)


def _with_content(folder: Path) -> Iterator[Path]:
    yield folder
    for item in folder.rglob("*"):
        if not item.is_symlink():
            yield item


def _may_search(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
