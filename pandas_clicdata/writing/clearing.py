"""Deleting all rows of a table that are saved, by what they hold: the service has no way to clear a table."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata import endpoints, rows
from pandas_clicdata.display import ProgressBar
from pandas_clicdata.errors import ClicDataError
from pandas_clicdata.models import ColumnType, Encoding, PlannedColumn, Sent, TableRef, Wire
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.looking import Seen, look
from pandas_clicdata.writing.options import Options
from pandas_clicdata.writing.sending import Batch, send_all

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_ROUNDS = 4
_LARGEST_EXACT = 2**52
_SURELY_EQUAL = (Encoding.TEXT, Encoding.INTEGER, Encoding.BOOLEAN, Encoding.DATE)
"""What the service can hardly compare in another way than we do; a fraction or a time of day it might."""


def clear(session: Session, found: TableRef, old: Content, options: Options, *, late: bool) -> None:
    """Delete the rows that are saved, by values that they hold, until the table is empty.

    ``late`` says that deletions of a call before this one may still be carried out.

    Raises
    ------
    ClicDataError
        Rows are left that no condition deletes, or that are not saved.
    """
    used: set[str] = set()
    hashes = old.hashes()
    since = time.monotonic() if late else None
    for _ in range(_ROUNDS):
        seen = look(session, found.rec_id, old.planned, wanted=hashes)
        if not seen.rows:
            break
        there = present(old, seen)
        if len(there) < seen.rows:
            raise ClicDataError(
                f"Table {found.label} has {seen.rows - len(there):,} rows that were not there when its rows were saved:"
                " somebody else is writing to it, and these are left alone. Begin anew, without resume= or with another"
                " journal: then all rows that are there now are saved, to a file of their own."
            )
        chosen = conditions(old.taken(there), used)
        if _delete(session, found, [_find(session, column, value) for column, value in chosen], options):
            since = time.monotonic()
        used.update(column.name for column, _ in chosen)
    else:
        seen = look(session, found.rec_id, old.planned, wanted=hashes)
        if seen.rows:
            raise ClicDataError(f"{seen.rows:,} rows are still in table {found.label} after every condition was used.")
    if since is not None:
        time.sleep(max(0.0, since + options.settle - time.monotonic()))


def _delete(session: Session, found: TableRef, finds: Sequence[bytes], options: Options) -> bool:
    """Delete the rows that meet any of these conditions; whether one of the deletions may still be carried out."""

    def send(batch: Batch) -> Sent:
        # A lost reply is answered by asking again: what the first try deleted, the second no longer finds.
        return endpoints.delete(session, found.rec_id, batch.body)

    batches = (Batch((), find, number) for number, find in enumerate(finds))
    delivery = send_all(batches, send, workers=int(options.workers), bar=ProgressBar(None, "", None))
    if delivery.reason is not None:
        raise delivery.reason
    return delivery.perhaps_twice


def _find(session: Session, column: PlannedColumn, value: pa.Scalar) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array([value.as_py()], value.type)], [column.name])
    return rows.encode_each(batch, [column.wire], endpoints.find_framing(session, [column.name]))[0]


def conditions(old: Content, used: Collection[str]) -> list[tuple[PlannedColumn, pa.Scalar]]:
    """Values, each in a column, such that every row has one of them: few, and none of them null.

    What deletes rows whose value is null is not known, so those are met by what they hold in another column.

    Raises
    ------
    ClicDataError
        Some rows are null in every column that is left.
    """
    table = old.whole()
    chosen: list[tuple[PlannedColumn, pa.Scalar]] = []
    rest = np.ones(table.num_rows, dtype=bool)
    columns = {column.name: column for column in old.planned if column.name not in used}
    while rest.any():
        best: tuple[float, str, pa.Array] | None = None
        for name, column in columns.items():
            values = table.column(name).filter(pa.array(rest)).drop_null()
            if len(values):
                distinct = values.unique()
                cost = len(distinct) / len(values) * (1 if column.wire.encoding in _SURELY_EQUAL else 10)
                if best is None or cost < best[0]:
                    best = cost, name, distinct
        if best is None:
            raise ClicDataError(
                f"{int(rest.sum()):,} rows of the table are empty in every column"
                + (" that could be used" if used else "")
                + ", and no condition that is known deletes such rows. Delete them in ClicData first."
            )
        _, name, distinct = best
        chosen += [(columns[name], value) for value in distinct]
        rest &= pc.is_null(table.column(name)).to_numpy(zero_copy_only=False)
        del columns[name]
    return chosen


def try_to_delete_nothing(session: Session, found: TableRef, old: Content) -> None:
    """Ask for a delete that no row meets, to see that deleting is allowed before it matters.

    Raises
    ------
    PermissionDeniedError, AuthenticationError
        It is not.
    """
    absent = [(rank, column, value) for column in old.planned for rank, value in _absent(old, column)]
    if absent:
        _, column, value = min(absent, key=lambda each: each[0])
        endpoints.delete(session, found.rec_id, _find(session, column, value))
    else:
        session.whoami()


def _absent(old: Content, column: PlannedColumn) -> Iterator[tuple[int, pa.Scalar]]:
    """A value that no row has in a column, where one is easily made, and how little it is to be preferred."""
    values = old.whole().column(column.name)
    if column.wire.encoding is Encoding.TEXT:
        if column.data_type in (ColumnType.TEXT, ColumnType.DROPDOWN):
            # A dropdown may not take a text that is not in its list.
            rank = 0 if column.data_type is ColumnType.TEXT else len(_SURELY_EQUAL) + 1
            yield rank, pa.scalar(f"no row has this: {secrets.token_hex(8)}", pa.large_string())
    elif column.wire == Wire(Encoding.INTEGER):
        largest = pc.max(values).as_py() or 0
        if largest < _LARGEST_EXACT:
            yield 1, pa.scalar(largest + 1, pa.int64())
    elif column.wire == Wire(Encoding.DATE):
        latest = pc.max(values).as_py() or date(2000, 1, 1)
        if latest < date.max:
            yield 2, pa.scalar(latest + timedelta(days=1), pa.date32())


def present(old: Content, seen: Seen) -> list[int]:
    """Which of the rows a look has found; of equal ones the first."""
    left = Counter(dict(seen.copies))
    found = []
    for row, value in enumerate(old.hashes().tolist()):
        if left[value] > 0:
            left[value] -= 1
            found.append(row)
    return found
