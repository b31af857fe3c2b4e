"""Child processes that end with their parent, even when the parent is killed outright."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1

WARM = "--warm"
"""Tells a web process (`serve.py`) that there is a database already, so that it may get ready."""

# Loaded here, once: between fork and exec nothing may be imported that another thread could be importing.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int) -> None:
    """From now on this process gets the signal `number` when the *thread* that started it ends. Linux only;
    elsewhere an outright kill of the parent leaves its children to be found by the next start."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def tied_to_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """A `preexec_fn` for a child of this process; runs after the change of user, which would undo it."""
    parent = os.getpid()

    def tie() -> None:
        die_with_parent(number)
        if os.getppid() != parent:  # the parent died before the wish was known
            os.kill(os.getpid(), number)

    return tie
