"""Lists of records: walked to their end, found in by name, and made frames of."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from pandas_clicdata._checks import did_you_mean, near, one_of
from pandas_clicdata._models import Records
from pandas_clicdata.errors import IncompleteReadError, RecordLookupError

Output = Literal["df", "dict"]
Record = Mapping[str, Any]

OUTPUTS: tuple[Output, ...] = ("df", "dict")
ID_KEYS = ("rec_id", "id")
"""What a RecId is called: without a version (A), and with one (P)."""
_ID_COLUMNS = frozenset({*ID_KEYS, "data_rec_id"})
"""Columns that are of whole numbers also where there are no rows."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_EPOCH = datetime(1970, 1, 1)
_FIRST, _LAST = ((end - _EPOCH) // timedelta(microseconds=1) for end in (datetime.min, datetime.max))
_NO_TIME = np.iinfo("int64").min
"""How NaT is counted."""
_SHOWN = 10
_MOST_PAGES = 10_000
_LARGEST = 2**63
_EXACT = 2**53
"""Up to here a float has every whole number."""


def checked_output(output: object) -> Output:
    """Return what a method shall give: ``"df"`` or ``"dict"``.

    Raises
    ------
    ValueError
        It is neither.
    """
    return one_of("output", output, OUTPUTS)


def everything(what: str, fetch: Callable[[int], Records]) -> list[Record]:
    """Walk a list to its end, as far as the service says that there is more.

    Raises
    ------
    IncompleteReadError
        It says that there is more than came.
    """
    gathered: list[Record] = []
    page, total = 1, None
    before: Sequence[Record] = ()
    while True:
        listed = fetch(page)
        # A service that knows no pages gives its whole list again.
        again = listed.records == before if listed.number is None else listed.number != page
        fresh = [] if again else _fresh(listed.records, gathered)
        gathered += fresh
        before = listed.records
        total = listed.total if listed.total is not None else total
        more = listed.has_more
        if more is None:
            # Each of what tells is optional (P): a page that is full may not be the last.
            more = listed.full if total is None else len(gathered) < total
        if not more or not fresh or page == _MOST_PAGES:
            break
        page += 1
    if (more and listed.has_more is not None) or (total is not None and total != len(gathered)):
        raise IncompleteReadError(
            f"The list of {what}s is not whole: {len(gathered)} came of {'more' if total is None else total}.",
            operation=f"{what}s",
            page=page,
            received=len(gathered),
            expected=total,
        )
    return gathered


def _fresh(records: Sequence[Record], gathered: Sequence[Record]) -> list[Record]:
    """The records that came with no earlier page. Those without a RecId may well be equal."""
    seen = {rec_id for record in gathered if (rec_id := rec_id_of(record)) is not None}
    return [record for record in records if rec_id_of(record) not in seen]


def rec_id_of(record: Record) -> int | None:
    """The RecId of a record, None if it has none."""
    for key in ID_KEYS:
        value = record.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def named(
    what: str, name: str, records: Iterable[Record], keys: Sequence[str] = ("name",), *, exactly: bool = False
) -> list[Record]:
    """The records of exactly this name, else, unless only they will do, those whose name is the same but for case.

    Raises
    ------
    RecordLookupError
        There is none; those that are near are named, or all if they are few.
    """
    labelled = [(_label(record, keys), record) for record in records]
    found = [record for label, record in labelled if label == name]
    alike = [(label, record) for label, record in labelled if label.casefold() == name.casefold()]
    if not found and not exactly:
        found = [record for _, record in alike]
    if found:
        return found
    names = list(dict.fromkeys(label for label, _ in labelled if label))
    suggested = near(name, names)
    if suggested:
        hint = did_you_mean(name, names).strip()
    elif names:
        hint = f"There are {_listed(names)}."
    else:
        hint = f"There are no {what}s at all, as far as this account may see."
    raise RecordLookupError(f"There is no {what} named {name!r}. {hint}", names=suggested or names)


def the_one(
    what: str, meant: int | str, records: Sequence[Record], keys: Sequence[str] = ("name",), *, exactly: bool = False
) -> Record:
    """The record of a RecId or a name.

    Raises
    ------
    RecordLookupError
        There is none, or several have that name.
    """
    if isinstance(meant, int):
        found = [record for record in records if rec_id_of(record) == meant]
        if not found:
            ids = [str(rec_id_of(record)) for record in records]
            there = f"there are those with {_listed(ids)}" if ids else f"there are no {what}s"
            raise RecordLookupError(f"There is no {what} with RecId {meant}; {there}.", names=ids)
        return found[0]
    found = named(what, meant, records, keys, exactly=exactly)
    if len(found) > 1:
        each = [f"{_label(record, keys)} (RecId {rec_id_of(record)})" for record in found]
        raise RecordLookupError(
            f"{len(found)} {what}s are named {meant!r}: {_listed(each)}. Give the RecId of the one you mean.",
            names=each,
        )
    return found[0]


def id_of_the_one(
    what: str,
    meant: int | str,
    fetch: Callable[[int], Records],
    keys: Sequence[str] = ("name",),
    *,
    exactly: bool = False,
) -> int:
    """The RecId that is meant. A number is believed: the first use of it tells.

    What is deleted is named ``exactly``: whether another case is another name, nobody has shown.

    Raises
    ------
    RecordLookupError
        No record has the name, or several have, or the one that has it shows no RecId.
    """
    if isinstance(meant, int):
        return meant
    record = the_one(what, meant, everything(what, fetch), keys, exactly=exactly)
    rec_id = rec_id_of(record)
    if rec_id is None:
        raise RecordLookupError(f"The service lists the {what} {meant!r} without a RecId ({_listed(list(record))}).")
    return rec_id


def as_output(records: Sequence[Record], output: Output, columns: Sequence[str] = ("rec_id",)) -> Any:
    """The records as a frame with these columns first, or as they came.

    In a frame the RecId is called ``rec_id`` whatever the service calls it, and moments are datetimes in UTC.
    """
    if output == "dict":
        return [dict(record) for record in records]
    rows = [_with_rec_id(record) for record in records]
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    return pd.DataFrame({name: _series(name, [row.get(name) for row in rows]) for name in names})


def one_as_output(record: Record, output: Output) -> Any:
    """One record as a frame of one row, or as it came."""
    return dict(record) if output == "dict" else as_output([record], "df", columns=())


def _with_rec_id(record: Record) -> Record:
    key = next((key for key in ID_KEYS if record.get(key) is not None), None)
    if key is None:
        return record
    # As a number also where it came as text: a text is a name wherever a RecId is asked for.
    rec_id = rec_id_of(record)
    return {
        "rec_id": record[key] if rec_id is None else rec_id,
        **{name: value for name, value in record.items() if name not in (key, "rec_id")},
    }


def _series(name: str, values: list[Any]) -> pd.Series[Any]:
    there = [value for value in values if value is not None]
    kinds = set(map(type, there))
    moments = _moments(values) if name.lower().endswith("date") else None
    if moments is not None:
        return moments
    if kinds <= {int} and all(-_LARGEST <= each < _LARGEST for each in there) and (there or name in _ID_COLUMNS):
        return pd.Series(values, dtype="int64" if len(there) == len(values) else "Int64")
    if kinds == {bool}:
        return pd.Series(values, dtype="bool" if len(there) == len(values) else "boolean")
    if float in kinds and kinds <= {int, float} and all(abs(each) <= _EXACT for each in there if type(each) is int):
        return pd.Series(values, dtype="float64")
    if kinds == {str}:
        with contextlib.suppress(UnicodeEncodeError):
            return pd.Series(values)
    return pd.Series(values, dtype=object)


def _moments(values: list[Any]) -> pd.Series[Any] | None:
    """The values as datetimes in UTC, None if one of them is none."""
    counted = np.full(len(values), _NO_TIME, dtype="int64")
    for place, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            return None
        # One by one: pandas 2.2 takes a text without an offset for one with that of the text before it.
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        offset = moment.utcoffset() or timedelta()
        counted[place] = (moment.replace(tzinfo=None) - _EPOCH - offset) // timedelta(microseconds=1)
        if not _FIRST <= counted[place] <= _LAST:
            return None
    return pd.Series(counted.view("datetime64[us]")).dt.tz_localize("UTC")


def _label(record: Record, keys: Sequence[str]) -> str:
    return next((value for key in keys if isinstance(value := record.get(key), str)), "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
