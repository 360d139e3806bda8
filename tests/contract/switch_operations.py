"""The operations of the client that run with every switch of the sandbox, and what each must leave in the ledger.

An outcome is right in two ways. Without an error: the ledger has exactly the rows that the docs promise, and the
receipt or the frame says what is true. With an error of the client: it is a sentence, and what it says about rows is
true.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import requests

import pandas_clicdata as cd
from conftest import QUICK, service_profile
from pandas_clicdata.sandbox import Sandbox
from pandas_clicdata.sandbox.assumptions import CHOICES

Row = Mapping[str, Any]
Bag = Counter[tuple[Any, ...]]

REFUSALS = (cd.ClicDataError, ValueError, TypeError)
PAGE_SIZE = 7
LEARNED = ("update_key", "find_text", "find_numbers", "find_datetimes")
"""The switches whose value can be in a service profile as it is."""

OPERATIONS: dict[str, Callable[[Case], None]] = {}
"""Each operation, by its name."""


def operation(function: Callable[[Case], None]) -> Callable[[Case], None]:
    """Add an operation to the list."""
    OPERATIONS[function.__name__] = function
    return function


# values and rows

_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def canonical(value: Any) -> Any:
    """Return a cell as it is stored: numbers exact, datetimes in UTC, nothing as None."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str) and _DATETIME.match(value):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        moment = value if value.tzinfo is None else value.astimezone(dt.UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S") + (f".{moment.microsecond:06}" if moment.microsecond else "")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    return Decimal(str(value))


def bag(rows: Sequence[Row], columns: Sequence[str]) -> Bag:
    """Return rows without their order; a column that a row does not have is null."""
    return Counter(tuple(canonical(row.get(name)) for name in columns) for row in rows)


def records(frame: pd.DataFrame) -> list[Row]:
    """Return the rows of a frame as dicts of Python values."""
    columns = {str(name): frame[name].astype(object).tolist() for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def positions(ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the rows in some ranges."""
    return [row for start, stop in ranges for row in range(start, stop)]


# the case


@dataclass
class Case:
    """An operation on a sandbox: what it is given, and what happened.

    Attributes
    ----------
    sandbox : Sandbox
        A sandbox with some choice of each switch.
    session : Session
        A session that knows nothing about the sandbox.
    folder : Path
        An empty folder.
    name : str
        A name that no table has.
    refusals : list of str
        The errors that the client raised.
    losses : list of str
        Rows that are missing after a receipt that does not confirm them.
    """

    sandbox: Sandbox
    session: cd.Session
    folder: Path
    name: str = field(default_factory=lambda: f"T {uuid.uuid4()}")
    refusals: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    # the sandbox, without the client

    @property
    def dialect(self) -> str:
        """The only dialect of the sandbox."""
        return self.sandbox._dialect

    def raw(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request without the client, and return what its reply holds."""
        params = {} if self.dialect == "unversioned" else {"api_version": self.sandbox.assume.newest_version}
        reply = requests.request(
            method,
            self.sandbox.url + path,
            params=params,
            data=None if body is None else json.dumps(body),
            headers={"CLICDATA-API-KEY": self.sandbox.api_key, "Content-Type": "application/json"},
            timeout=30,
        )
        found = reply.json()
        assert reply.status_code == 200, f"{method} {path}: {found}"
        assert not (isinstance(found, dict) and "error" in found), f"{method} {path}: {found}"
        return found if self.dialect == "unversioned" else found["result"]

    def given(self, columns: Mapping[str, str], rows: Sequence[Row], name: str | None = None) -> int:
        """Create a table with rows, and return its id."""
        name = name or self.name
        described = [{"name": column, "data_type": data_type} for column, data_type in columns.items()]
        self.raw("POST", "/data", {"name": name, "description": "", "columns": described})
        table = self.sandbox.ledger.table_id(name)
        if rows:
            self.raw_append(table, rows)
        assert len(self.rows()) == len(rows)
        return table

    def raw_append(self, table: int, rows: Sequence[Row]) -> None:
        """Append rows in the way that the version has."""
        cells = [[{"column": column, "value": value} for column, value in row.items()] for row in rows]
        if self.dialect == "unversioned":
            self.raw("POST", f"/data/{table}/row", {"data": cells})
        elif self.sandbox.assume.newest_version == "2021.08":
            self.raw("POST", f"/table/{table}", {"data": cells})
        else:
            self.raw("POST", f"/data/{table}/insert", {"data": rows})

    def rows(self, name: str | None = None, version: int | None = None) -> list[Row]:
        """Return the rows that the sandbox has committed; none if there is no table."""
        name = name or self.name
        if name not in self.sandbox.ledger.tables():
            return []
        rows: list[Row] = list(self.sandbox.ledger.rows(name, version))
        return rows

    # outcomes

    def attempt(self, call: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, Exception | None]:
        """Call the client, and return its result, or the error that it raised."""
        before = max((entry.number for entry in self.sandbox.requests), default=0)
        try:
            return call(*args, **options), None
        except REFUSALS as exc:
            text = str(exc)
            self.refusals.append(f"{type(exc).__name__}: {text.splitlines()[0]}")
            error = exc
        assert re.match(r".{15,}[.?:]", str(error)), f"not a sentence: {error!r}"
        if not isinstance(error, cd.ClicDataError):
            sent = [entry for entry in self.sandbox.requests if entry.number > before and entry.method != "GET"]
            assert sent == [], f"{error!r} came after a request"
        return None, error

    def inserted(
        self, columns: Sequence[str], new: Sequence[Row], call: Callable[[], Any], *, resumed: bool = False
    ) -> cd.WriteResult | None:
        """Check a call that is to add rows."""
        before = bag(self.rows(), columns)
        receipt, error = self.attempt(call)
        after = bag(self.rows(), columns)
        assert before <= after, f"rows of the table are gone: {before - after}"
        arrived, expected = after - before, bag(new, columns)
        if error is None:
            assert (receipt.sent, receipt.rows, receipt.rejected) == (len(new), len(new), 0)
            if receipt.status == "unverified":
                assert arrived <= expected, f"rows that were not sent: {arrived - expected}"
                if arrived != expected:
                    self.losses.append(f"{(expected - arrived).total()} of {len(new)} rows: {receipt.notes}")
            else:
                assert receipt.status in ("confirmed", "verified")
                assert receipt.confirmed == len(new)
                assert arrived == expected, (
                    f"{receipt.status}, but missing {expected - arrived}, and {arrived - expected}"
                )
            return receipt  # type: ignore[no-any-return]
        if isinstance(error, cd.IncompleteWriteError):
            confirmed, unknown, unsent = map(positions, (error.confirmed, error.unknown, error.unsent))
            assert sorted(confirmed + unknown + unsent) == list(range(len(new)))
            sure = bag([new[at] for at in confirmed], columns)
            possible = sure + bag([new[at] for at in unknown], columns)
            if "without counting" not in str(error):
                assert sure <= arrived, f"confirmed, but not there: {sure - arrived}"
            elif not sure <= arrived:
                self.losses.append(f"{(sure - arrived).total()} of {len(confirmed)} rows: {error}")
            assert arrived <= possible, f"there, but not among the rows that may be: {arrived - possible}"
        elif not resumed:
            assert not arrived, f"{error!r}, but rows arrived: {arrived}"
        return None

    def changed(
        self,
        columns: Sequence[str],
        effects: Sequence[tuple[Sequence[Row], Sequence[Row]]],
        call: Callable[[], Any],
        *,
        matched: int | None = None,
        one_of: bool = False,
    ) -> cd.WriteResult | None:
        """Check a call that is to change or delete rows.

        For each row of the frame, ``effects`` has the rows of the table that it concerns, and what they become. With
        ``one_of``, the call must change exactly one of them.
        """
        before = bag(self.rows(), columns)
        receipt, error = self.attempt(call)
        after = bag(self.rows(), columns)
        old = [bag(rows, columns) for rows, _ in effects]
        new = [bag(rows, columns) for _, rows in effects]
        untouched = before.copy()
        for each in old:
            assert each <= untouched
            untouched -= each
        if error is None:
            assert receipt.rejected == 0
            assert receipt.status in ("unverified", "verified", "confirmed")
            assert receipt.matched in (None, matched)
            if one_of:
                [(rows, _)] = effects
                alternatives = [untouched + bag([row for row in rows if row is not one], columns) for one in rows]
                assert after in alternatives
            else:
                expected = sum(new, untouched)
                assert after == expected, f"missing {expected - after}, and {after - expected}"
            return receipt  # type: ignore[no-any-return]
        if isinstance(error, cd.IncompleteWriteError):
            confirmed, unknown, unsent = map(positions, (error.confirmed, error.unknown, error.unsent))
            assert sorted(confirmed + unknown + unsent) == list(range(len(effects)))
            sure = sum([new[at] for at in confirmed], sum([old[at] for at in unsent], untouched))
            assert sure <= after, f"{error!r}, but gone or changed: {sure - after}"
            most = sum(max(old[at].total(), new[at].total()) for at in unknown)
            assert (after - sure).total() <= most, f"{error!r}, but added: {after - sure}"
        else:
            assert after == before, f"{error!r}, but gone {before - after}, and added {after - before}"
        return None

    def read(
        self,
        columns: Sequence[str],
        call: Callable[[], Any],
        *,
        rows: Sequence[Row] | None = None,
        limit: int | None = None,
    ) -> Any:
        """Check a call that is to return the rows of the table as a frame, or the first ones."""
        found, _ = self.attempt(call)
        if found is not None:
            # Without types, a row id column cannot be told from a column of this name.
            more = set(found.columns) - set(columns)
            assert more <= {"id", "rec_id"}, f"columns that the table does not have: {more}"
            there = bag(self.rows() if rows is None else rows, columns)
            assert set(columns) <= set(found.columns) or not there
            read = bag(records(found), columns)
            if limit is None:
                assert read == there, f"not read {there - read}, and read {read - there}"
            else:
                assert read <= there
                assert len(found) == min(limit, there.total())
        return found


def open_session(sandbox: Sandbox, folder: Path, **options: Any) -> cd.Session:
    """Open a session that does not know the sandbox."""
    profile = {"service_profile": folder / f"{uuid.uuid4()}.json"}
    return cd.Session(api_key=sandbox.api_key, base_url=sandbox.url, **{"retry": QUICK, **profile, **options})


# inserts

SIMPLE = {"n": "number", "t": "text", "f": "number"}
OLD: list[Row] = [{"n": n, "t": f"text {n}", "f": n + 0.5 if n % 3 else None} for n in range(16)]
MORE = pd.DataFrame(
    {"n": [101, 102, 103, 104, 105], "t": ["a", None, "00123", "", "Zürich"], "f": [0.1, 1e-9, None, -2, 3]}
)

EVERY_TYPE = pd.DataFrame(
    {
        "key": [1, 2, 3],
        "text": pd.Series(["00123", " a  ", None], dtype="string"),
        "long": [12345678901234567890, -(2**60) - 1, None],
        "decimal": [Decimal("0.10"), Decimal("12345678901234.567800000001"), None],
        "float": [0.1, -1e300, None],
        "naive": pd.Series(["2024-02-29 23:59:59.000001", "1970-01-01", None], dtype="datetime64[us]"),
        "zoned": pd.Series(["2024-03-31 12:30:00", "1999-12-31", None])
        .astype("datetime64[us]")
        .dt.tz_localize("Europe/Paris"),
        "day": [dt.date(2024, 2, 29), dt.date(1900, 1, 1), None],
        "share": [0.25, 1.5, None],
        "yes": pd.array([True, False, None], dtype="boolean"),
        "gate": pd.Series(["A1", "a1", None], dtype="string"),
    }
)
EVERY_COLUMN = [str(name) for name in EVERY_TYPE]
TYPES = {"share": "percentage", "gate": "dropdown"}


@operation
def push_new(case: Case) -> None:
    receipt = case.inserted(
        EVERY_COLUMN,
        records(EVERY_TYPE),
        lambda: EVERY_TYPE.clicdata.push(case.name, column_types=TYPES, session=case.session),
    )
    if receipt is not None:
        assert receipt.rec_id == case.sandbox.ledger.table_id(case.name)
        types = [str(column.data_type) for column in receipt.columns]
        assert types == [
            "number", "text", "number", "number", "number", "datetime", "datetime", "date", "percentage", "checkbox",
            "dropdown",
        ]  # fmt: skip


@operation
def push_new_verified(case: Case) -> None:
    receipt = case.inserted(
        EVERY_COLUMN,
        records(EVERY_TYPE),
        lambda: EVERY_TYPE.clicdata.push(case.name, column_types=TYPES, verify=True, session=case.session),
    )
    assert receipt is None or receipt.status == "verified"


@operation
def push_if_exists(case: Case) -> None:
    case.given(SIMPLE, OLD)
    _, error = case.attempt(MORE.clicdata.push, case.name, session=case.session)
    assert isinstance(error, cd.TableExistsError)
    assert len(case.rows()) == len(OLD)
    case.inserted(
        list(SIMPLE), records(MORE), lambda: MORE.clicdata.push(case.name, if_exists="append", session=case.session)
    )


@operation
def push_upsert(case: Case) -> None:
    upserted(case, lambda frame: frame.clicdata.push(case.name, if_exists="upsert", on="n", session=case.session))


@operation
def push_replace(case: Case) -> None:
    replaced(case, [*OLD, {"n": 50, "t": None, "f": 0}])


def replaced(case: Case, old: Sequence[Row]) -> cd.WriteResult | None:
    """Replace rows, and check that an old row is in the table, in the backup, or in both."""
    case.given(SIMPLE, old)
    receipt, error = case.attempt(
        MORE.clicdata.push, case.name, if_exists="replace", backup=case.folder, reconcile_wait=0, session=case.session
    )
    new_rows = records(MORE)
    after, before, new = (bag(rows, list(SIMPLE)) for rows in (case.rows(), old, new_rows))
    backup = getattr(receipt if error is None else error, "backup", None)
    saved = bag([], []) if backup is None else bag(records(pd.read_parquet(backup)), list(SIMPLE))
    assert before <= after + saved, f"old rows are lost: {before - after - saved}"
    if error is None:
        assert saved == before
        assert after <= new
        if after != new:
            assert receipt.status == "unverified"
            case.losses.append(f"{(new - after).total()} of {new.total()} rows: {receipt.notes}")
    elif isinstance(error, cd.IncompleteWriteError):
        assert (
            not positions(error.confirmed) or bag(records(MORE.iloc[positions(error.confirmed)]), list(SIMPLE)) <= after
        )
        assert not bag([new_rows[at] for at in positions(error.unsent)], list(SIMPLE)) & after
    else:
        assert after == before
    return receipt  # type: ignore[no-any-return]


@operation
def restore_a_backup(case: Case) -> None:
    receipt = replaced(case, OLD)
    if receipt is None:
        return
    now = bag(case.rows(), list(SIMPLE))
    restored, error = case.attempt(cd.restore, receipt.backup, case.name, reconcile_wait=0, session=case.session)
    after, old = bag(case.rows(), list(SIMPLE)), bag(OLD, list(SIMPLE))
    if error is None:
        assert restored.backup is not None
        assert after == old or (restored.status == "unverified" and after <= old)
        if after != old:
            case.losses.append(f"{(old - after).total()} of {old.total()} rows: {restored.notes}")
    elif not isinstance(error, cd.IncompleteWriteError):
        assert after == now


@operation
def append(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    shuffled = MORE[["f", "n", "t"]]
    receipt = case.inserted(
        list(SIMPLE), records(MORE), lambda: shuffled.clicdata.append(table, chunksize=2, session=case.session)
    )
    if receipt is not None:
        case.inserted(
            list(SIMPLE),
            records(MORE.assign(n=MORE["n"] + 10)),
            lambda: MORE.assign(n=MORE["n"] + 10).clicdata.append(case.name, verify=True, session=case.session),
        )


@operation
def append_to_an_empty_table(case: Case) -> None:
    table = case.given(SIMPLE, [])
    case.inserted(list(SIMPLE), records(MORE), lambda: MORE.clicdata.append(table, session=case.session))


@operation
def append_many_rows(case: Case) -> None:
    table = case.given({"n": "number"}, [])
    frame = pd.DataFrame({"n": range(501)})
    new = records(frame)
    case.inserted(["n"], new, lambda: frame.clicdata.append(table, chunksize=501, session=case.session))
    more = frame + 1000
    case.inserted(["n"], records(more), lambda: more.clicdata.append(table, workers=2, session=case.session))


@operation
def append_with_stamp(case: Case) -> None:
    table = case.given({**SIMPLE, "stamp": "text"}, [])
    case.inserted(list(SIMPLE), records(MORE), lambda: MORE.clicdata.append(table, stamp="stamp", session=case.session))
    assert all(row["stamp"] for row in case.rows())


@operation
def append_with_keys(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    receipt = case.inserted(
        list(SIMPLE), records(MORE), lambda: MORE.clicdata.append(table, on="n", session=case.session)
    )
    if receipt is not None:
        again = MORE.assign(n=[3, 201, 202, 203, 204])
        _, error = case.attempt(again.clicdata.append, table, on="n", session=case.session)
        assert isinstance(error, cd.ClicDataError)
        assert not bag(case.rows(), ["n"]) & bag(records(again[1:]), ["n"])


LOSSES: dict[str, Any] = {
    "after the commit": {"kind": "lose_reply", "after_commit": True},
    "before the commit": {"kind": "lose_reply", "after_commit": False},
    "of which it is unknown": {"kind": "status", "code": 500, "after_commit": True},
}


def reconciled(case: Case, fault: Mapping[str, Any], **options: Any) -> None:
    """Append with a lost reply in the middle."""
    stamped = {"stamp": "text"} if "stamp" in options else {}
    table = case.given({**SIMPLE, **stamped}, OLD)
    case.sandbox.faults.script(**fault, operation="append", nth=2)
    case.inserted(
        list(SIMPLE),
        records(MORE),
        lambda: MORE.clicdata.append(table, chunksize=2, reconcile_wait=0, session=case.session, **options),
    )


@operation
def append_with_a_lost_reply(case: Case) -> None:
    reconciled(case, LOSSES["after the commit"])


@operation
def append_reconciled_by_stamp(case: Case) -> None:
    reconciled(case, LOSSES["after the commit"], stamp="stamp")


@operation
def append_resent_with_a_new_stamp(case: Case) -> None:
    reconciled(case, LOSSES["before the commit"], stamp="stamp")


@operation
def append_reconciled_by_keys(case: Case) -> None:
    reconciled(case, LOSSES["of which it is unknown"], on="n")


@operation
def append_resent_by_keys(case: Case) -> None:
    reconciled(case, LOSSES["before the commit"], on=["n", "t"] if MORE["t"].notna().all() else "n")


@operation
def append_reconciled_by_content(case: Case) -> None:
    reconciled(case, LOSSES["after the commit"], on_unknown="check")


@operation
def append_resent_by_content(case: Case) -> None:
    reconciled(case, LOSSES["before the commit"], on_unknown="check")


@operation
def resume_after_a_stop(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    case.sandbox.faults.status(400, operation="append", nth=2)
    case.inserted(list(SIMPLE), records(MORE), lambda: MORE.clicdata.append(table, chunksize=2, session=case.session))
    case.sandbox.faults.clear()
    before = bag(OLD, list(SIMPLE))
    receipt, error = case.attempt(MORE.clicdata.append, table, chunksize=2, resume=True, session=case.session)
    arrived = bag(case.rows(), list(SIMPLE)) - before
    expected = bag(records(MORE), list(SIMPLE))
    assert arrived <= expected
    if error is None:
        assert receipt.sent == len(MORE)
        assert arrived == expected or receipt.status == "unverified"
        if arrived != expected:
            case.losses.append(f"{(expected - arrived).total()} of {len(MORE)} rows: {receipt.notes}")


@operation
def append_equal_rows(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    frame = pd.DataFrame({"n": [101, 101, 3, 102], "t": ["a", "a", "text 3", "b"], "f": [0.5, 0.5, None, 1]})
    case.inserted(list(SIMPLE), records(frame), lambda: frame.clicdata.append(table, session=case.session))


@operation
def append_equal_rows_reconciled_by_content(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    frame = pd.DataFrame({"n": [101, 101, 3, 102], "t": ["a", "a", "text 3", "b"], "f": [0.5, 0.5, None, 1]})
    case.sandbox.faults.script(**LOSSES["after the commit"], operation="append", nth=2)
    case.inserted(
        list(SIMPLE),
        records(frame),
        lambda: frame.clicdata.append(
            table, chunksize=2, on_unknown="check", reconcile_wait=0, verify=True, session=case.session
        ),
    )


@operation
def append_values_of_other_types(case: Case) -> None:
    columns = {"t": "text", "n": "number", "yes": "checkbox"}
    table = case.given(columns, [{"t": "a", "n": 1, "yes": True}])
    for column, value in (("t", 5), ("n", "3"), ("yes", 1)):
        frame = pd.DataFrame({"t": ["b"], "n": [2], "yes": [False]}).assign(**{column: [value]})
        case.inserted(list(columns), records(frame), partial(frame.clicdata.append, table, session=case.session))


# updates

CHANGES = pd.DataFrame({"n": [2, 3, 4, 99], "t": ["text 2", "new", None, "absent"], "f": [2.5, 7, 8, 9]})


def effect(*rows: Row, **values: Any) -> tuple[list[Row], list[Row]]:
    """Return rows, and what they become with some values."""
    return list(rows), [{**row, **values} for row in rows]


UPDATED = [
    effect(OLD[2]),
    effect(OLD[3], t="new", f=7),
    effect(OLD[4], t=None, f=8),
]


@operation
def update_rows(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    case.changed(
        list(SIMPLE),
        [*UPDATED, ([], [])],
        lambda: CHANGES.clicdata.update_rows(table, on="n", reconcile_wait=0, session=case.session),
    )


@operation
def update_rows_verified(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    receipt = case.changed(
        list(SIMPLE),
        UPDATED,
        lambda: CHANGES.head(3).clicdata.update_rows(
            table, on=["n"], workers=2, verify=True, reconcile_wait=0, session=case.session
        ),
    )
    assert receipt is None or receipt.status == "verified"


@operation
def update_rows_with_a_lost_reply(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    case.sandbox.faults.lose_reply(operation="update", nth=2)
    case.changed(
        list(SIMPLE),
        [*UPDATED, ([], [])],
        lambda: CHANGES.clicdata.update_rows(table, on="n", reconcile_wait=0, session=case.session),
    )


def upserted(case: Case, call: Callable[[pd.DataFrame], Any]) -> None:
    """Upsert rows; the last one is new."""
    case.given(SIMPLE, OLD)
    new = {"n": 99, "t": "absent", "f": 9}
    receipt, error = case.attempt(call, CHANGES)
    after, before = bag(case.rows(), list(SIMPLE)), bag(OLD, list(SIMPLE))
    old = [bag(rows, list(SIMPLE)) for rows, _ in UPDATED] + [bag([], [])]
    wanted = [bag(rows, list(SIMPLE)) for _, rows in UPDATED] + [bag([new], list(SIMPLE))]
    untouched = before - sum(old, Counter())
    if error is None:
        assert receipt.sent == 3
        assert receipt.matched == 3
        expected = sum(wanted, untouched)
        assert sum(wanted[:3], untouched) <= after <= expected
        if after != expected:
            assert receipt.status == "unverified"
            case.losses.append(f"1 of 1 rows: {receipt.notes}")
    elif isinstance(error, cd.IncompleteWriteError):
        confirmed, unknown, unsent = map(positions, (error.confirmed, error.unknown, error.unsent))
        assert sorted(confirmed + unknown + unsent) == [0, 1, 2, 3]
        sure = sum([wanted[at] for at in confirmed], sum([old[at] for at in unsent], untouched))
        assert sure <= after
        assert (after - sure).total() <= len(unknown)
    else:
        assert after == before


@operation
def upsert(case: Case) -> None:
    upserted(case, lambda frame: frame.clicdata.upsert(case.name, on="n", reconcile_wait=0, session=case.session))
    receipt, error = case.attempt(CHANGES.clicdata.upsert, case.name, on="n", dry_run=True, session=case.session)
    if error is None and not case.refusals and not case.losses:
        assert receipt.batches == 0


@operation
def update_data(case: Case) -> None:
    rows: list[Row] = [*OLD[:6], {"n": 70, "t": "same", "f": 1}, {"n": 71, "t": "same", "f": 2}]
    table = case.given(SIMPLE, rows)
    data = cd.Data(case.session)
    receipt = case.changed(
        list(SIMPLE),
        [effect(*rows[6:], f=None, t="changed")],
        lambda: data.update_data(table, {"t": "same"}, {"f": None, "t": "changed"}, reconcile_wait=0),
    )
    if receipt is not None:
        found = [row for row in case.rows() if row["t"] == "changed"]
        _, error = case.attempt(data.update_data, table, {"t": "changed"}, {"t": "first"}, "first", reconcile_wait=0)
        after = Counter(row["t"] for row in case.rows())
        assert len(case.rows()) == len(rows)
        assert len(found) == 2
        assert error is not None or (after["changed"], after["first"]) == (1, 1)


# deletes


def gone(*rows: Row) -> tuple[list[Row], list[Row]]:
    """Return rows that are to be deleted."""
    return list(rows), []


@operation
def delete_rows_by_number(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    frame = pd.DataFrame({"n": [3, 5, 99, 3]})
    case.changed(
        list(SIMPLE),
        [gone(OLD[3]), gone(OLD[5]), gone(), gone()],
        lambda: frame.clicdata.delete_rows(table, on="n", session=case.session),
        matched=2,
    )


@operation
def delete_rows_by_text(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    frame = pd.DataFrame({"t": ["text 3", "absent"]})
    case.changed(
        list(SIMPLE),
        [gone(OLD[3]), gone()],
        lambda: frame.clicdata.delete_rows(table, on="t", workers=2, session=case.session),
        matched=1,
    )


TIMES: list[Row] = [
    {"n": 1, "at": "2024-02-29 10:00:00"},
    {"n": 2, "at": "2024-02-29 10:00:01"},
    {"n": 3, "at": "1999-12-31 23:59:59.250000"},
    {"n": 4, "at": None},
]


@operation
def delete_rows_by_datetime(case: Case) -> None:
    table = case.given({"n": "number", "at": "datetime"}, TIMES)
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime(
                ["2024-02-29 11:00:01+01:00", "1999-12-31 23:59:59.25+00:00"], format="ISO8601", utc=True
            )
        }
    )
    case.changed(
        ["n", "at"],
        [gone(TIMES[1]), gone(TIMES[2])],
        lambda: frame.clicdata.delete_rows(table, on="at", session=case.session),
        matched=2,
    )


@operation
def delete_rows_by_several_keys(case: Case) -> None:
    rows = [{**row, "t": f"text {at % 4}"} for at, row in enumerate(OLD)]
    table = case.given(SIMPLE, rows)
    frame = pd.DataFrame({"n": [3, 4, 5], "t": ["text 3", "text 1", "text 1"]})
    case.changed(
        list(SIMPLE),
        [gone(rows[3]), gone(), gone(rows[5])],
        lambda: frame.clicdata.delete_rows(table, on=["n", "t"], session=case.session),
        matched=2,
    )


SIMILAR: list[Row] = [
    {"n": 12345678901234567, "t": "a320", "at": "2024-02-29 10:00:00"},
    {"n": 12345678901234568, "t": "A320", "at": "2024-02-29 10:00:00.500000"},
    {"n": 12345678901234569, "t": "A320 ", "at": "2024-02-29 10:00:00.750000"},
    {"n": 7, "t": "B738", "at": "2024-03-01 00:00:00"},
]
SIMILAR_COLUMNS = {"n": "number", "t": "text", "at": "datetime"}
SIMILAR_FRAME = pd.DataFrame(
    {
        "n": [row["n"] for row in SIMILAR],
        "t": [row["t"] for row in SIMILAR],
        "at": pd.to_datetime([str(row["at"]) for row in SIMILAR], format="ISO8601"),
    }
)


def similar(case: Case, session: cd.Session) -> None:
    """Delete and update rows whose keys are similar to those of other rows, also where no key is equal."""
    for at, key in enumerate(SIMILAR_COLUMNS):
        for present in (SIMILAR, [SIMILAR[0], SIMILAR[3]]):
            table = case.given(SIMILAR_COLUMNS, present)
            wanted = [row for row in present if row is SIMILAR[1]]
            frame = SIMILAR_FRAME.iloc[[1]]
            case.changed(
                list(SIMILAR_COLUMNS),
                [gone(*wanted)],
                partial(frame.clicdata.delete_rows, table, on=key, session=session),
                matched=len(wanted),
            )
            case.name = f"{case.name} {at} {len(present)}"
            table = case.given(SIMILAR_COLUMNS, present)
            value = "at" if key == "n" else "n"
            new = {"at": "2020-01-01 00:00:00"} if value == "at" else {"n": 5}
            values = {"at": pd.to_datetime(["2020-01-01"])} if value == "at" else {"n": [5]}
            changes = frame[[key]].assign(**values)
            case.changed(
                list(SIMILAR_COLUMNS),
                [effect(*wanted, **new)],
                partial(changes.clicdata.update_rows, table, on=key, reconcile_wait=0, session=session),
            )
            case.name = f"{case.name} {at}"


@operation
def similar_keys(case: Case) -> None:
    similar(case, case.session)


@operation
def similar_keys_of_a_known_service(case: Case) -> None:
    facts = {name: getattr(case.sandbox.assume, name) for name in LEARNED if name in CHOICES}
    with open_session(case.sandbox, case.folder, service_profile=service_profile(case.sandbox.url, **facts)) as session:
        similar(case, session)


@operation
def dry_runs(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    calls: list[Callable[[], Any]] = [
        lambda: MORE.clicdata.push(f"{case.name} new", dry_run=True, session=case.session),
        lambda: MORE.clicdata.append(table, dry_run=True, session=case.session),
        lambda: MORE.clicdata.push(case.name, if_exists="replace", dry_run=True, session=case.session),
        lambda: CHANGES.clicdata.update_rows(table, on="n", dry_run=True, session=case.session),
        lambda: CHANGES.clicdata.upsert(table, on="n", dry_run=True, session=case.session),
        lambda: CHANGES.clicdata.delete_rows(table, on="n", dry_run=True, session=case.session),
    ]
    before = max(entry.number for entry in case.sandbox.requests)
    for call in calls:
        receipt, error = case.attempt(call)
        assert error is not None or receipt.status == "dry_run"
        if receipt is not None and receipt.operation == "delete_rows":
            assert receipt.matched == 3
            assert bag(records(receipt.preview), list(SIMPLE)) == bag(OLD[2:5], list(SIMPLE))
    assert {e.operation for e in case.sandbox.requests if e.number > before} <= {"list", "read", "account", "token"}
    assert bag(case.rows(), list(SIMPLE)) == bag(OLD, list(SIMPLE))
    assert f"{case.name} new" not in case.sandbox.ledger.tables()


@operation
def delete_at_most(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    frame = pd.DataFrame({"n": [3, 4]})
    _, error = case.attempt(frame.clicdata.delete_rows, table, on="n", max_rows=1, session=case.session)
    assert isinstance(error, cd.ClicDataError)
    assert len(case.rows()) == len(OLD)
    case.changed(
        list(SIMPLE),
        [gone(OLD[3]), gone(OLD[4])],
        lambda: frame.clicdata.delete_rows(table, on="n", max_rows=2, session=case.session),
        matched=2,
    )


@operation
def delete_data(case: Case) -> None:
    rows: list[Row] = [
        *OLD[:6],
        {"n": 70, "t": "same", "f": 1},
        {"n": 71, "t": "same", "f": 2},
        {"n": 72, "t": "two", "f": 2},
    ]
    table = case.given(SIMPLE, rows)
    data = cd.Data(case.session)
    case.changed(
        list(SIMPLE),
        [gone(*rows[6:8])],
        lambda: data.delete_data(table, {"t": "same"}, "first"),
        matched=2,
        one_of=True,
    )
    left = [row for row in case.rows() if row["t"] == "same"]
    case.changed(list(SIMPLE), [gone(*left)], lambda: data.delete_data(table, {"t": "same"}), matched=len(left))
    case.changed(list(SIMPLE), [gone()], lambda: data.delete_data(table, {"t": None}))


# reads

STORED: list[Row] = [
    {"n": n, "t": None if n % 5 == 4 else f"00{n}", "at": f"2024-03-{n + 1:02} 10:00:0{n % 10}", "yes": n % 2 == 0}
    for n in range(PAGE_SIZE * 3)
]
STORED_COLUMNS = {"n": "number", "t": "text", "at": "datetime", "yes": "checkbox"}


@operation
def read_whole(case: Case) -> None:
    table = case.given(STORED_COLUMNS, STORED)
    for call in (
        lambda: cd.read_clicdata(table, session=case.session),
        lambda: pd.DataFrame(cd.Data(case.session).get_data(case.name, output="dict")),
    ):
        case.read(list(STORED_COLUMNS), call)


@operation
def read_no_rows(case: Case) -> None:
    table = case.given(STORED_COLUMNS, [])
    found, _ = case.attempt(cd.read_clicdata, table, session=case.session)
    assert found is None or len(found) == 0


@operation
def read_some_rows_and_columns(case: Case) -> None:
    table = case.given(STORED_COLUMNS, STORED)
    case.read(list(STORED_COLUMNS), lambda: cd.read_clicdata(table, limit=10, session=case.session), limit=10)
    case.read(["yes", "n"], lambda: cd.read_clicdata(table, columns=["yes", "n"], session=case.session))
    _, error = case.attempt(cd.read_clicdata, table, columns=["absent"], session=case.session)
    assert error is not None


@operation
def read_in_chunks(case: Case) -> None:
    table = case.given(STORED_COLUMNS, STORED)
    case.read(list(STORED_COLUMNS), lambda: pd.concat(cd.read_clicdata(table, chunksize=5, session=case.session)))


@operation
def read_in_batches(case: Case) -> None:
    table = case.given(STORED_COLUMNS, STORED)
    case.read(
        list(STORED_COLUMNS), lambda: cd.read_clicdata_batches(table, session=case.session).read_all().to_pandas()
    )


@operation
def read_with_backends(case: Case) -> None:
    table = case.given(STORED_COLUMNS, STORED)
    for backend in ("numpy_nullable", "pyarrow"):
        case.read(
            list(STORED_COLUMNS),
            partial(cd.read_clicdata, table, dtype_backend=backend, session=case.session),
        )


@operation
def read_with_schema(case: Case) -> None:
    schema = EVERY_TYPE.clicdata.schema(column_types=TYPES)
    types = dict(zip(schema["column"], schema["clicdata_type"], strict=True))
    rows = [{name: canonical(value) for name, value in row.items()} for row in records(EVERY_TYPE)]
    table = case.given(
        types,
        [
            {**row, "decimal": None, "float": None, "share": None, "long": None, "key": at + 1}
            for at, row in enumerate(rows)
        ],
    )
    expected = EVERY_TYPE.assign(
        **{name: pd.Series([None] * 3).astype(EVERY_TYPE[name].dtype) for name in ("decimal", "float", "share", "long")}
    )
    found, _ = case.attempt(cd.read_clicdata, table, schema=schema, session=case.session)
    if found is not None:
        found = found.sort_values("key", ignore_index=True)[list(expected)]
        pd.testing.assert_frame_equal(found, expected)


@operation
def push_and_read_with_schema(case: Case) -> None:
    schema = EVERY_TYPE.clicdata.schema(column_types=TYPES)
    _, error = case.attempt(EVERY_TYPE.clicdata.push, case.name, column_types=TYPES, session=case.session)
    if error is None and len(case.rows()) == len(EVERY_TYPE):
        found, _ = case.attempt(cd.read_clicdata, case.name, schema=schema, session=case.session)
        if found is not None:
            found = found.sort_values("key", ignore_index=True)[EVERY_COLUMN]
            pd.testing.assert_frame_equal(found, EVERY_TYPE)


@operation
def read_versions(case: Case) -> None:
    table = case.given(SIMPLE, OLD[:5])
    for row in OLD[5:9]:
        case.raw_append(table, [row])
    listed, error = case.attempt(cd.versions, table, session=case.session)
    if error is not None:
        return
    for version in listed["version"].tolist() if len(listed) else []:
        rows = case.rows(version=int(version))
        assert rows == [*OLD][: len(rows)]
        found = case.read(
            list(SIMPLE), partial(cd.read_clicdata, table, version=version, session=case.session), rows=rows
        )
        assert found is not None, "a version that is listed is not read"
    _, error = case.attempt(cd.read_clicdata, table, version=77, session=case.session)
    assert isinstance(error, cd.TableNotFoundError)


@operation
def list_tables(case: Case) -> None:
    table = case.given(SIMPLE, OLD[:1])
    listed, _ = case.attempt(cd.tables, session=case.session)
    if listed is not None:
        assert dict(zip(listed["name"], listed["rec_id"], strict=True)) == case.sandbox.ledger.tables()
    found, _ = case.attempt(lambda: cd.Data(case.session).get_data(name=case.name))
    assert found is None or found["rec_id"].tolist() == [table]
    _, error = case.attempt(cd.read_clicdata, f"{case.name} absent", session=case.session)
    assert isinstance(error, cd.TableNotFoundError)


# tables, sources and the rest of the account


@operation
def create_data(case: Case) -> None:
    data = cd.Data(case.session)
    rec_id, error = case.attempt(data.create_data, case.name, "A table", SIMPLE)
    tables = case.sandbox.ledger.tables()
    if error is not None:
        assert case.name not in tables
        return
    assert tables[case.name] == rec_id
    case.inserted(list(SIMPLE), records(MORE), lambda: data.append_data(rec_id, MORE))
    _, error = case.attempt(data.create_data, case.name, "", {"n": "number"})
    assert isinstance(error, cd.TableExistsError)
    other, error = case.attempt(data.create_data, case.name.upper(), "", {"n": "number"})
    tables = case.sandbox.ledger.tables()
    assert tables.get(case.name.upper()) == other
    assert other != rec_id
    assert isinstance(error, cd.TableExistsError) or other is not None


@operation
def create_with_a_lost_reply(case: Case) -> None:
    case.sandbox.faults.lose_reply(operation="create")
    case.inserted(
        list(SIMPLE),
        records(MORE),
        lambda: MORE.clicdata.push(case.name, session=case.session),
    )


def fed(case: Case) -> tuple[int, str]:
    """Create a table from a file with a unique key, change the file, and return the table and the file."""
    file = f"{uuid.uuid4()}.csv"
    case.sandbox.put_source(file, "n,t\n1,a\n2,b\n")
    table = case.sandbox.feed(case.name, file, key=["n"])
    case.sandbox.put_source(file, "n,t\n2,B\n3,c\n")
    return table, file


@operation
def refresh_with_source(case: Case) -> None:
    table, _ = fed(case)
    states = {
        "update": [(1, "a"), (2, "B")],
        "updateappend": [(1, "a"), (2, "B"), (3, "c")],
        "reload": [(2, "B"), (3, "c")],
        "recreate": [(2, "B"), (3, "c")],
    }
    for method, expected in states.items():
        before = bag(case.rows(), ["n", "t"])
        _, error = case.attempt(cd.refresh, table, method, session=case.session)
        after = bag(case.rows(), ["n", "t"])
        assert after == (Counter(expected) if error is None else before)


@operation
def refresh_without_source(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    for method in ("reload", "append", "recreate"):
        case.attempt(cd.refresh, table, method, session=case.session)
        assert bag(case.rows(), list(SIMPLE)) == bag(OLD, list(SIMPLE))


@operation
def schedules(case: Case) -> None:
    table, _ = fed(case)
    schedule = case.sandbox.schedule(case.name, tables=[table], method="reload")
    other = case.sandbox.schedule(f"{case.name} other", tables=[table], method="append")
    kind = cd.Schedule(case.session)
    listed, _ = case.attempt(kind.get_schedule)
    if listed is not None:
        assert {schedule, other} <= set(listed["rec_id"])
        assert listed.set_index("rec_id").loc[schedule, "name"] == case.name
    for wanted in (schedule, case.name):
        found, _ = case.attempt(kind.get_schedule, wanted, "dict")
        assert found is None or found["name"] == case.name
    run, error = case.attempt(kind.trigger_schedule, case.name, wait=True, poll=0)
    after = bag(case.rows(), ["n", "t"])
    if error is None:
        assert (run.rec_id, run.status) == (schedule, "succeeded")
        assert after == Counter([(2, "B"), (3, "c")])


@operation
def users(case: Case) -> None:
    kind, address = cd.User(case.session), f"{uuid.uuid4()}@sandbox.example"
    for names in ({"first_name": "Ada", "last_name": "L"}, {}):
        rec_id, error = case.attempt(kind.create_user, address, **names)
        known = {user["email_address"]: user for user in people(case, "user")}
        assert (address in known) == (error is None)
        if error is not None:
            continue
        assert rec_id in (known[address].get("id"), known[address].get("rec_id"))
        found, _ = case.attempt(kind.get_user, rec_id, "dict")
        assert found is None or found["email_address"] == address
        _, error = case.attempt(kind.update_user, rec_id, last_name="Lovelace")
        known = {user["email_address"]: user for user in people(case, "user")}
        assert (known[address]["last_name"] == "Lovelace") == (error is None)
        case.attempt(kind.set_password, rec_id, "Analytical 1843")
        _, error = case.attempt(kind.delete_user, address)
        assert (address in {user["email_address"] for user in people(case, "user")}) == (error is not None)


def people(case: Case, kind: str) -> list[dict[str, Any]]:
    """Return the users or teams."""
    found = case.raw("GET", f"/{kind}")
    return found if isinstance(found, list) else found[f"{kind}s"]


@operation
def teams(case: Case) -> None:
    kind = cd.Team(case.session)
    rec_id, error = case.attempt(kind.create_team, case.name, "A team")

    def state() -> dict[str, Any] | None:
        return next((team for team in people(case, "team") if team["name"] == case.name), None)

    assert (state() is None) == (error is not None)
    if error is not None:
        return
    assert state() is not None
    user = next(iter(people(case, "user")))
    member = user.get("id", user.get("rec_id"))
    _, error = case.attempt(kind.add_user, rec_id, member)
    assert (member in (state() or {})["users"]) == (error is None)
    _, error = case.attempt(kind.set_parameter, case.name, "region", "EU")
    assert ({"name": "region", "value": "EU"} in (state() or {})["parameters"]) == (error is None)
    _, error = case.attempt(kind.update_team, rec_id, description="Changed")
    assert ((state() or {})["description"] == "Changed") == (error is None)
    found, _ = case.attempt(kind.get_team, rec_id, "dict")
    assert found is None or found["description"] == (state() or {})["description"]
    case.attempt(kind.remove_parameter, rec_id, "region")
    case.attempt(kind.remove_user, rec_id, member)
    _, error = case.attempt(kind.delete_team, rec_id)
    assert (state() is None) == (error is None)


@operation
def dashboards(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    rec_id = case.sandbox.dashboard(case.name, table=table)
    listed, _ = case.attempt(cd.dashboards, session=case.session)
    assert listed is None or rec_id in set(listed["rec_id"])
    kind = cd.Dashboard(case.session)
    for call in (kind.get_dashboard_thumbnail, kind.get_dashboard_snapshot):
        picture, _ = case.attempt(call, rec_id, "image")
        assert picture is None or bytes(picture).startswith(b"\x89PNG")


@operation
def account(case: Case) -> None:
    kind = cd.Account(case.session)
    fields, _ = case.attempt(kind.get_account, "dict")
    assert fields is None or fields == case.raw("GET", "/account")
    frame, _ = case.attempt(kind.get_account)
    assert frame is None or len(frame) == 1
    case.attempt(case.session.whoami)
    profile, _ = case.attempt(kind.get_profile, "dict")
    assert profile is None or profile["email_address"] == case.sandbox.username
    for entity in ("users", "dashboards"):
        case.attempt(kind.get_account_activity, entity)


@operation
def given_version(case: Case) -> None:
    table = case.given(SIMPLE, OLD)
    versions = (
        ("unversioned",) if case.dialect == "unversioned" else ("2021.08", "2022.01", "2022.1", "2024.1", "2025.3")
    )
    for at, version in enumerate(versions):
        with open_session(case.sandbox, case.folder, api_version=version) as session:
            frame = MORE.assign(n=MORE["n"] + 100 * at)
            case.read(list(SIMPLE), partial(cd.read_clicdata, table, session=session))
            case.inserted(
                list(SIMPLE),
                records(frame),
                partial(frame.clicdata.append, table, session=session),
            )
            case.attempt(cd.tables, session=session)


@contextlib.contextmanager
def running(sandbox: Sandbox, folder: Path, **options: Any) -> Iterator[Case]:
    """Yield a case with a session of its own, and remove the faults that are left."""
    with open_session(sandbox, folder, **options) as session:
        try:
            yield Case(sandbox, session, folder)
        finally:
            sandbox.faults.clear()
            sandbox.faults.release()
