"""Threads where none can be started, and locks in a forked child."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


def started(thread: threading.Thread) -> bool:
    """Start a thread; return False where none can be started: at a limit of the system, or as Python ends."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


class HasLocks(Protocol):
    """What has locks, which a thread of the parent may hold while a child is forked."""

    def _after_fork(self) -> None:
        """Make them anew, and whatever else a child must not share; called before anything else runs in the child."""


forks_wait = threading.RLock()
"""Held while modules are imported: in a child that is forked meanwhile, the lock of their import is never released."""

_known: weakref.WeakSet[HasLocks] = weakref.WeakSet()


def renew_in_children(owner: HasLocks) -> None:
    """Call ``owner._after_fork()`` in each process that is forked while the owner lives."""
    _known.add(owner)


def _renew() -> None:
    forks_wait.release()
    for owner in list(_known):
        owner._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=forks_wait.acquire, after_in_parent=forks_wait.release, after_in_child=_renew)
