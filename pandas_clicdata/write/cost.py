"""How many requests a write needs, and about how long they take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Self

from pandas_clicdata._models import Page
from pandas_clicdata._request_count import request_count
from pandas_clicdata.client.api import Client
from pandas_clicdata.client.prefetch import DEFAULT_WORKERS
from pandas_clicdata.errors import RequestLimitError
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.context import WriteContext
from pandas_clicdata.write.exactly_once import batch_sizes
from pandas_clicdata.write.options import Options

_MAX_SINGLE = 10_000
"""How many requests that change the rows of one condition a call sends unless it passes ``max_requests=``.

Inserts are not limited: they carry as many rows as the service is known to take.
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The requests that a write still needs, if none is repeated.

    Attributes
    ----------
    inserts : int
        Those that carry the rows of a batch.
    single : int
        Those that update or delete the rows of one condition.
    pages : int
        Those that read the table.
    others : int
        Those that are sent one after the other, such as the creation of a table.
    at_least : bool
        Whether more may be needed, because the service does not state the number of rows or pages.
    """

    inserts: int = 0
    single: int = 0
    pages: int = 0
    others: int = 0
    at_least: bool = False

    def __add__(self, more: Self) -> Self:
        return replace(
            self,
            inserts=self.inserts + more.inserts,
            single=self.single + more.single,
            pages=self.pages + more.pages,
            others=self.others + more.others,
            at_least=self.at_least or more.at_least,
        )

    @property
    def requests(self) -> int:
        """The number of requests."""
        return self.inserts + self.single + self.pages + self.others


def insert_cost(client: Client, ranges: list[tuple[int, int]], options: Options) -> Cost:
    """Return the cost of inserting the rows of these ranges, if no batch is too large."""
    workers = options.max_in_flight
    batches = sum(1 for _ in row_ranges.cut(ranges, batch_sizes(client, int(options.chunksize), workers)))
    if client.dialect.counts_rows and client.service_profile.found("insert_counts") is not False:
        return Cost(inserts=batches)
    # Each connection ends with a check that the replies belong to their requests.
    return Cost(inserts=batches, others=min(workers, batches))


def scan_cost(first: Page | None, more_rows: int = 0) -> Cost:
    """Return the cost of reading a table.

    Parameters
    ----------
    first : Page or None
        The first page of the table; None if the table does not exist yet.
    more_rows : int
        How many rows it will have in addition.
    """
    if first is None or first.total is None:
        return Cost(pages=1 if first is None else 2, at_least=True)
    size, rows = len(first.rows), first.total + more_rows
    if rows and (not size or (more_rows and size == first.total)):
        # The number of rows on a full page is not known.
        return Cost(pages=1, at_least=True)
    return Cost(pages=max(1, math.ceil(rows / max(1, size))))


def require(context: WriteContext, cost: Cost) -> None:
    """Check that the requests of a write may be sent, before the first change.

    Raises
    ------
    RequestLimitError
        They are more than ``max_requests=``. Or it is not passed, and there are too many requests for one row each.
    """
    count = request_count()
    what = f"The {context.operation} to table {context.table.name or context.table.label!r}"
    count.require(cost.requests, what, at_least=cost.at_least)
    if count.limit is None and cost.single > _MAX_SINGLE and context.operation != "restore":
        needed = count.sent + cost.requests
        raise RequestLimitError(
            f"{what} needs {cost.single:,} requests that change one row, or the rows of one key or value. A service may"
            f" limit the number of requests, and ClicData does not state its limit. Nothing was changed. To send them,"
            f" pass max_requests={needed}{' or more' if cost.at_least else ''}.",
            needed=needed,
        )


@dataclass(frozen=True)
class Estimate:
    """The number of requests of a write, the seconds that they may take, and a sentence about both."""

    requests: int
    seconds: float | None
    basis: str


def estimate(context: WriteContext, cost: Cost, *, not_needed: int = 0) -> Estimate:
    """Estimate a write from its dry run.

    Parameters
    ----------
    context : WriteContext
        The write.
    cost : Cost
        What it needs beyond the requests that the dry run has sent.
    not_needed : int
        How many of the requests of the dry run it does not need.
    """
    count, pace = request_count(), context.client.transport.pace()
    before = count.sent - count.once - not_needed
    requests = before + cost.requests
    changes = cost.inserts + cost.single
    basis = (
        f"{'At least ' if cost.at_least else ''}{requests:,} requests: {before:,} as in this dry run, {cost.pages:,} to"
        f" read pages, {changes:,} to change rows, {cost.others:,} of other kinds."
    )
    if pace.read is None:
        return Estimate(requests, None, f"{basis} This session has measured no request, so the time is not known.")
    workers = context.options.max_in_flight
    at_a_time = min(workers, pace.at_a_time)
    per_change = pace.read if pace.change is None else pace.change
    # The dry run has read the same pages, and in the same way.
    seconds = (time.perf_counter() - context.started) * before / max(1, count.sent)
    seconds += pace.read * (math.ceil(cost.pages / DEFAULT_WORKERS) + cost.others)
    seconds += per_change * math.ceil(changes / at_a_time)
    seconds = pace.pause + max(seconds, pace.interval * requests)
    limited = pace.pause or pace.interval or at_a_time < workers
    measured = f"{pace.read:.3g} s per read" + ("" if pace.change is None else f", {pace.change:.3g} s per change")
    basis += (
        f" The time is an estimate: that of this dry run, and the median of this session's last requests for the others"
        f" ({measured}), with {DEFAULT_WORKERS} pages and {at_a_time:g} changes at a time"
        f"{' and the present rate limit' if limited else ''}. It contains no retries and no later rate limit."
    )
    if pace.change is None:
        basis += " No change was measured; one that carries rows can take longer than a read."
    return Estimate(requests, seconds, basis)
