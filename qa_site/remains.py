"""What processes that have ended leave of their metrics. Each has files of its own, some 300 kB, and who asks for
/metrics reads all of them. What was counted must stay in the sums, so it goes into the files of a process that never
was; what holds only while its process lives goes."""

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.mmap_dict import MmapedDict

NOBODY = "0"
TOLERATED = 20
"""Processes whose files are left for now: who reads in the moment in which they go would count them twice."""


def tidy(folder: Path, *, tolerated: int = TOLERATED) -> None:
    remains: dict[str, list[Path]] = defaultdict(list)
    ended: set[str] = set()
    for path in folder.glob("*_*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if pid == NOBODY or psutil.pid_exists(int(pid)):
            continue
        if kind.startswith("gauge_live"):
            path.unlink(missing_ok=True)
        elif not kind.startswith("gauge"):
            remains[kind].append(path)
            ended.add(pid)
    if len(ended) > tolerated:
        for kind, paths in remains.items():
            _add(folder / f"{kind}_{NOBODY}.db", paths)


def _add(to: Path, paths: list[Path]) -> None:
    draft = to.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    if to.exists():
        shutil.copyfile(to, draft)
    sums: Any = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for path in paths:
        for key, value, *_ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    sums.close()
    draft.replace(to)
    for path in paths:
        path.unlink()
