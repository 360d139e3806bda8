"""Send Ctrl-C to the main thread from another thread."""

from __future__ import annotations

import signal
import threading


def main_thread_id() -> int:
    """Return the identifier of the main thread."""
    identifier = threading.main_thread().ident
    assert identifier is not None
    return identifier


def press_ctrl_c() -> None:
    """Interrupt the main thread."""
    signal.pthread_kill(main_thread_id(), signal.SIGINT)
