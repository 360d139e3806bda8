"""Walk a list that comes in pages: yield the pages in order, and request several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar

from pandas_clicdata.client.prefetch import Prefetch

T = TypeVar("T")

WORKERS = 4
"""How many pages of a list are requested at a time.

A list of 30 pages takes 9 round trips instead of 30; with twice as many requests it would take 5. A browser opens up to
six connections to a host, so four requests of one user are nothing unusual for a service whose limits are not known.
"""


def walk(fetch: Callable[[int], T], count_pages: Callable[[T], int | None]) -> Generator[T, None, None]:
    """Yield the pages of a list in order, from the first on, for as long as the caller takes more.

    The caller decides which page is the last, and closes the generator then. If the first page shows how many there
    are, no page beyond is requested ahead. If not, at most as many pages are requested ahead as have arrived, so
    that a short list wastes no request. A page that the caller does not take may have failed.

    Parameters
    ----------
    fetch : callable
        Fetches the page of a number.
    count_pages : callable
        Returns the number of pages that the first page shows, or None.

    Raises
    ------
    ClicDataError
        A page that the caller takes could not be fetched.
    """
    first = fetch(1)
    yield first
    last = count_pages(first)
    ahead = Prefetch(fetch, WORKERS)
    pages: deque[Callable[[], T]] = deque()
    taken = 1
    try:
        while True:
            end = taken + WORKERS if last is not None else taken + min(taken, WORKERS)
            if last is not None:
                end = max(taken + 1, min(end, last))
            pages.extend(ahead.ask(number) for number in range(taken + len(pages) + 1, end + 1))
            page = pages.popleft()()
            taken += 1
            yield page
    finally:
        ahead.end()
