"""Which processes are there, while others of them end."""

from collections.abc import Iterable
from contextlib import suppress

import psutil


def running(processes: Iterable[psutil.Process], command: str) -> list[psutil.Process]:
    """Those whose command line holds `command`. One that has just ended has none any more."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a zombie counts as one
            if command in " ".join(process.cmdline()):
                found.append(process)
    return found
