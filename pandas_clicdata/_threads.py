"""Threads on systems that may refuse to start one, and locks in forked child processes."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


def started(thread: threading.Thread) -> bool:
    """Start a thread if the system allows it.

    Parameters
    ----------
    thread : threading.Thread
        The thread.

    Returns
    -------
    bool
        False if no thread can be started: at a limit of the system, or while Python shuts down.
    """
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


class ForkAware(Protocol):
    """An object with locks, which a thread of the parent may hold while another thread forks a child."""

    def _after_fork(self) -> None:
        """Recreate the locks, and everything else that a child must not share. Called first in the child."""


fork_lock = threading.RLock()
"""Held during imports, so that no child is forked then: in that child, the import lock would never be released."""

_fork_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def reset_after_fork(owner: ForkAware) -> None:
    """Call ``owner._after_fork()`` in each process that is forked during the lifetime of the owner."""
    _fork_aware.add(owner)


def _after_fork() -> None:
    fork_lock.release()
    for owner in list(_fork_aware):
        owner._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=fork_lock.acquire, after_in_parent=fork_lock.release, after_in_child=_after_fork)
