"""The log of requests, and the notes about a request that middleware and application share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from pandas_clicdata.sandbox.protocol import operation as control_operation

MAX_ENTRIES = 100_000
"""The number of requests that the log keeps; a sandbox may run for weeks."""


@dataclass(frozen=True)
class Entry:
    """One request, without bodies, headers or secrets.

    Parameters
    ----------
    number : int
        Number of the request, from 1 in the order of arrival.
    method : str
        HTTP method.
    path : str
        Path.
    query : str
        Query string; empty for the OAuth paths, whose queries hold secrets.
    operation : str, optional
        Name of the operation, as in ``"append"``. None: no route has this path.
    rows : int, default 0
        Number of rows in the body.
    status : int, optional
        HTTP status of the reply. None: no reply was sent, or not yet.
    fault : str, optional
        Kind of the fault that the request had.
    seconds : float, default 0
        Seconds from arrival to reply.
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
class RequestNotes:
    """The notes about one request that middleware and application share.

    Attributes
    ----------
    number : int
        Number of the request in the log.
    operation : str, optional
        Name of the operation.
    rows : int, optional
        Number of rows in the body, once it is parsed.
    accept : int, optional
        A fault: commit only so many rows.
    page : {"empty", "short", "repeat"}, optional
        A fault: change the page in this way.
    page_rows : int
        The number of rows that a short page lacks.
    """

    number: int
    operation: str | None
    rows: int | None = None
    accept: int | None = None
    page: str | None = None
    page_rows: int = 0


def _read_counts(pairs: Any) -> Counter[str | None]:
    return Counter(dict(pairs))


class RequestLog:
    """The latest requests to a sandbox, in this process or in another.

    A request appears when it arrives and changes when it is answered. The log can be iterated, indexed and measured
    with ``len``.

    Examples
    --------
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     len(sandbox.requests), sandbox.requests.counts()["append"]
    (0, 0)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, Entry] = {}
        self._last = 0

    def continue_after(self, number: int) -> None:
        """Give later requests numbers above this one.

        Parameters
        ----------
        number : int
            The highest number in use.
        """
        with self._lock:
            self._last = max(self._last, number)

    def begin(self, method: str, path: str, query: str, operation: str | None) -> Entry:
        """Add a request that has arrived.

        Parameters
        ----------
        method, path, query : str
            HTTP method, path and query string.
        operation : str or None
            Name of the operation.

        Returns
        -------
        Entry
            The new entry.
        """
        with self._lock:
            self._last += 1
            entry = Entry(self._last, method, path, query, operation)
            self._kept[entry.number] = entry
            if len(self._kept) > MAX_ENTRIES:
                del self._kept[next(iter(self._kept))]
            return entry

    def note(self, number: int, **facts: object) -> None:
        """Change the entry of a request, if the log still has it.

        Parameters
        ----------
        number : int
            Number of the request.
        **facts
            New values of fields of `Entry`.
        """
        with self._lock:
            if number in self._kept:
                self._kept[number] = replace(self._kept[number], **facts)  # type: ignore[arg-type]

    @control_operation(
        "GET",
        "requests",
        encode=lambda entries: [asdict(entry) for entry in entries],
        decode=lambda entries: [Entry(**entry) for entry in entries],
    )
    def _entries(self, operation: str | None = None) -> list[Entry]:
        with self._lock:
            return [entry for entry in self._kept.values() if operation in (None, entry.operation)]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries())

    def __len__(self) -> int:
        return self.counts().total()

    def __getitem__(self, place: int) -> Entry:
        return self._entries()[place]

    def __repr__(self) -> str:
        return f"<RequestLog: {len(self)} requests>"

    def of(self, operation: str) -> list[Entry]:
        """Return the requests for one operation, in order.

        Parameters
        ----------
        operation : str
            Name of the operation, as in ``"append"``.

        Returns
        -------
        list of Entry
            The requests.
        """
        return self._entries(operation)

    # Pairs, because None cannot be a key in JSON.
    @control_operation("GET", "requests/counts", encode=lambda counts: list(counts.items()), decode=_read_counts)
    def counts(self) -> Counter[str | None]:
        """Return the number of requests for each operation.

        Returns
        -------
        collections.Counter
            The number of requests by the name of the operation; None counts requests without a route.
        """
        return Counter(entry.operation for entry in self._entries())

    @control_operation("DELETE", "requests")
    def clear(self) -> None:
        """Remove all requests; the next request gets the next number."""
        with self._lock:
            self._kept.clear()
