"""Lists of records: fetch all pages, find records by name, and convert them to DataFrames."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
import pandas as pd

from pandas_clicdata._checks import check_choice, did_you_mean, near
from pandas_clicdata._display import Listing, counted
from pandas_clicdata._models import Records
from pandas_clicdata.client.prefetch import walk
from pandas_clicdata.errors import IncompleteReadError, RecordLookupError

Output = Literal["df", "dict"]
Record = Mapping[str, Any]
RecordId = int | str | SupportsIndex
"""A RecId, or the name of a record."""

_ID_KEYS = ("rec_id", "id")
"""The field with the RecId, in the dialect without versions and in the versioned one."""
_ID_COLUMNS = frozenset({*_ID_KEYS, "data_rec_id"})
"""Columns of whole numbers, also if there are no rows."""

_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_EPOCH = datetime(1970, 1, 1)
_MIN_DATETIME, _MAX_DATETIME = ((end - _EPOCH) // timedelta(microseconds=1) for end in (datetime.min, datetime.max))
_NAT = np.iinfo("int64").min
_MAX_LISTED = 10
_MAX_PAGES = 10_000
_INT64_END = 2**63
_MAX_EXACT_FLOAT = 2**53
"""A float represents every whole number up to this one exactly."""


def checked_output(output: object) -> Output:
    """Return the output format.

    Raises
    ------
    ValueError
        It is neither "df" nor "dict".
    """
    return check_choice("output", output, get_args(Output))


def fetch_all(what: str, fetch: Callable[[int], Records]) -> list[Record]:
    """Fetch all pages of a list, several at a time.

    Raises
    ------
    IncompleteReadError
        The service states that the list has more records than were received.
    """
    received: list[Record] = []
    total: int | None = None
    previous: Sequence[Record] = ()
    with closing(walk(fetch, _count_pages)) as pages:
        for page, listed in enumerate(pages, 1):
            # A service without pages sends its complete list again.
            repeated = listed.records == previous if listed.number is None else listed.number != page
            new = [] if repeated else _new_records(listed.records, received)
            received += new
            previous = listed.records
            total = listed.total if listed.total is not None else total
            more = listed.has_more
            if more is None:
                # Without a total, a page of full size may be followed by another one.
                more = listed.full if total is None else len(received) < total
            if not more or not new or page == _MAX_PAGES:
                break
    if (more and listed.has_more is not None) or (total is not None and total != len(received)):
        stated = "the service states that there are more" if total is None else f"the service states {total}"
        raise IncompleteReadError(
            f"The list of {what}s is incomplete: {len(received)} {what}s were received, but {stated}. Make the same"
            " call again.",
            operation=f"{what}s",
            page=page,
            received=len(received),
            expected=total,
        )
    return received


def _count_pages(first: Records) -> int | None:
    """Return the number of pages; None if the first page does not state its number, its size and the total."""
    return -(-first.total // len(first.records)) if first.full and first.total is not None else None


def _new_records(records: Sequence[Record], received: Sequence[Record]) -> list[Record]:
    """Return the records whose RecId was not received before, and those without a RecId, which may be equal."""
    seen = {rec_id for record in received if (rec_id := rec_id_of(record)) is not None}
    return [record for record in records if rec_id_of(record) not in seen]


def rec_id_of(record: Record) -> int | None:
    """Return the RecId of a record, or None if it has none."""
    for key in _ID_KEYS:
        value = record.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def find_by_name(
    what: str, name: str, records: Iterable[Record], keys: Sequence[str] = ("name",), *, match_case: bool = False
) -> list[Record]:
    """Return the records of this name; unless the case must match, else those whose name differs only in case.

    Raises
    ------
    RecordLookupError
        There are none. The message suggests similar names, or lists all names.
    """
    labelled = [(_label(record, keys), record) for record in records]
    found = [record for label, record in labelled if label == name]
    if not found and not match_case:
        found = [record for label, record in labelled if label.casefold() == name.casefold()]
    if found:
        return found
    names = list(dict.fromkeys(label for label, _ in labelled if label))
    similar = near(name, names)
    if similar:
        hint = did_you_mean(name, names).strip()
    elif names:
        hint = f"The names in this account: {_shortened(map(repr, names))}."
    else:
        hint = _no_records(what)
    raise RecordLookupError(f"There is no {what} named {name!r}. {hint}", names=similar or names)


def find_one(
    what: str,
    wanted: int | str,
    records: Sequence[Record],
    keys: Sequence[str] = ("name",),
    *,
    match_case: bool = False,
) -> Record:
    """Return the record of a RecId or a name.

    Raises
    ------
    RecordLookupError
        No record has the RecId or name, or several have the name.
    """
    if isinstance(wanted, int):
        found = [record for record in records if rec_id_of(record) == wanted]
        if not found:
            ids = [str(rec_id_of(record)) for record in records]
            hint = f"The RecIds in this account: {_shortened(ids)}." if ids else _no_records(what)
            raise RecordLookupError(f"There is no {what} with RecId {wanted}. {hint}", names=ids)
        return found[0]
    found = find_by_name(what, wanted, records, keys, match_case=match_case)
    if len(found) > 1:
        labels = [(_label(record, keys), rec_id_of(record)) for record in found]
        listed = _shortened(f"{label!r} (RecId {rec_id})" for label, rec_id in labels)
        raise RecordLookupError(
            f"{len(found)} {what}s are named {wanted!r}: {listed}. Pass the RecId of one of them.",
            names=[f"{label} (RecId {rec_id})" for label, rec_id in labels],
        )
    return found[0]


def find_rec_id(
    what: str,
    wanted: int | str,
    fetch: Callable[[int], Records],
    keys: Sequence[str] = ("name",),
    *,
    match_case: bool = False,
) -> int:
    """Return the RecId of a name. A RecId is not looked up; the first request that uses it fails.

    Parameters
    ----------
    what : str
        The kind of record, for messages.
    wanted : int or str
        A RecId or a name.
    fetch : callable
        Returns a page of the list of records.
    keys : sequence of str
        The fields that can hold the name; the first one that a record has is used.
    match_case : bool
        Whether upper and lower case must match. Deletes require it, because it is unknown whether names that differ
        only in case belong to one record or to two.

    Raises
    ------
    RecordLookupError
        No record has the name, or several have it, or the record has no RecId.
    """
    if isinstance(wanted, int):
        return wanted
    record = find_one(what, wanted, fetch_all(what, fetch), keys, match_case=match_case)
    rec_id = rec_id_of(record)
    if rec_id is None:
        raise RecordLookupError(
            f"The service lists the {what} {wanted!r} without a RecId. Its fields: {_shortened(map(repr, record))}."
        )
    return rec_id


def to_output(
    what: str, records: Sequence[Record], output: Output, columns: Sequence[str] = ("rec_id",)
) -> pd.DataFrame | list[dict[str, Any]]:
    """Return records in the output format.

    Parameters
    ----------
    what : str
        The noun for a record, which the heading in a notebook uses.
    records : sequence of mapping
        The records.
    output : {"df", "dict"}, default "df"
        Whether to return a DataFrame, or dicts with the values as received. In a DataFrame, the column of the RecId is
        ``rec_id`` in either dialect, and datetimes are in UTC.
    columns : sequence of str
        The first columns of the frame, also if no record has them.
    """
    if output == "dict":
        return [dict(record) for record in records]
    return Listing.of(_to_frame(records, columns), counted(len(records), what))


def to_single_output(record: Record, output: Output, columns: Sequence[str] = ()) -> pd.DataFrame | dict[str, Any]:
    """Return one record in the output format, as a frame of one row or as a dict."""
    return dict(record) if output == "dict" else _to_frame([record], columns)


def _to_frame(records: Sequence[Record], columns: Sequence[str]) -> pd.DataFrame:
    rows = [_with_rec_id(record) for record in records]
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    return pd.DataFrame({name: _series(name, [row.get(name) for row in rows]) for name in names})


def _with_rec_id(record: Record) -> Record:
    key = next((key for key in _ID_KEYS if record.get(key) is not None), None)
    if key is None:
        return record
    # A number, also if it was received as text, because a text would be looked up as a name.
    rec_id = rec_id_of(record)
    return {
        "rec_id": record[key] if rec_id is None else rec_id,
        **{name: value for name, value in record.items() if name not in (key, "rec_id")},
    }


def _series(name: str, values: list[Any]) -> pd.Series[Any]:
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    datetimes = _datetimes(values) if name.lower().endswith("date") else None
    if datetimes is not None:
        return datetimes
    fits = kinds <= {int} and all(-_INT64_END <= each < _INT64_END for each in present)
    if fits and (present or name in _ID_COLUMNS):
        return pd.Series(values, dtype="int64" if len(present) == len(values) else "Int64")
    if kinds == {bool}:
        return pd.Series(values, dtype="bool" if len(present) == len(values) else "boolean")
    whole = (each for each in present if type(each) is int)
    if float in kinds and kinds <= {int, float} and all(abs(each) <= _MAX_EXACT_FLOAT for each in whole):
        return pd.Series(values, dtype="float64")
    if kinds == {str}:
        with contextlib.suppress(UnicodeEncodeError):
            return pd.Series(values)
    return pd.Series(values, dtype=object)


def _datetimes(values: list[Any]) -> pd.Series[Any] | None:
    """Return the values as datetimes in UTC, or None if one of them is not a datetime."""
    microseconds = np.full(len(values), _NAT, dtype="int64")
    for position, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, str) or not _DATETIME.fullmatch(value):
            return None
        # One by one, because pandas 2.2 gives a text without an offset the offset of the text before it.
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return None
        offset = parsed.utcoffset() or timedelta()
        microseconds[position] = (parsed.replace(tzinfo=None) - _EPOCH - offset) // timedelta(microseconds=1)
        if not _MIN_DATETIME <= microseconds[position] <= _MAX_DATETIME:
            return None
    return pd.Series(microseconds.view("datetime64[us]")).dt.tz_localize("UTC")


def _label(record: Record, keys: Sequence[str]) -> str:
    return next((value for key in keys if isinstance(value := record.get(key), str)), "")


def _no_records(what: str) -> str:
    return f"This account has no {what}s, or may not list them."


def _shortened(names: Iterable[str]) -> str:
    """Return the first names, separated by commas, and the number of the others."""
    listed = list(names)
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return ", ".join(listed[:_MAX_LISTED]) + more
