"""The log of requests, and what travels with a request through the sandbox."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

KEPT = 100_000
"""How many requests the log remembers; a sandbox may run for weeks."""


@dataclass(frozen=True)
class Entry:
    """One request, without bodies, headers or secrets.

    `status` is None where no reply was sent, or not yet. `rows` is the number of rows in its body.
    """

    number: int
    method: str
    path: str
    query: str
    operation: str | None
    rows: int = 0
    status: int | None = None
    fault: str | None = None
    seconds: float = 0.0


@dataclass
class Visit:
    """What the middleware and the app tell each other about one request."""

    number: int
    operation: str | None
    rows: int | None = None
    accept: int | None = None
    page: str | None = None
    page_rows: int = 0


class RequestLog:
    """The latest requests, by number; a request appears when it comes in and changes when it is answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._last = 0

    def go_on_after(self, number: int) -> None:
        """Use no number up to this one."""
        with self._lock:
            self._last = max(self._last, number)

    def begin(self, method: str, path: str, query: str, operation: str | None) -> Entry:
        """Enter a request that has come in."""
        with self._lock:
            self._last += 1
            entry = Entry(self._last, method, path, query, operation)
            self._entries[entry.number] = entry
            if len(self._entries) > KEPT:
                del self._entries[next(iter(self._entries))]
            return entry

    def note(self, number: int, **facts: object) -> None:
        """Change the entry of a request."""
        with self._lock:
            if number in self._entries:
                self._entries[number] = replace(self._entries[number], **facts)  # type: ignore[arg-type]

    def _all(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, place: int) -> Entry:
        return self._all()[place]

    def __repr__(self) -> str:
        return f"<RequestLog: {len(self)} requests>"

    def of(self, operation: str) -> list[Entry]:
        """The requests for one operation, in order."""
        return [entry for entry in self if entry.operation == operation]

    def counts(self) -> Counter[str | None]:
        """How many requests there were for each operation; None counts those of no known route."""
        return Counter(entry.operation for entry in self)

    def clear(self) -> None:
        """Forget the requests so far; numbers go on."""
        with self._lock:
            self._entries.clear()
