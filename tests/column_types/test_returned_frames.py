"""A frame that a read returns is an ordinary frame: its memory is writable, consolidated, and shared with nothing."""

import datetime as dt
import itertools
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import DIALECTS, signed_in

pytestmark = pytest.mark.sampled(1)

PAGE = 4


ROWS = {"no rows": 0, "one row": 1, "exactly one page": PAGE, "several pages": 2 * PAGE + 2}


BACKENDS = (None, "numpy_nullable", "pyarrow")


def every_kind(rows):
    """Return a frame with a column of each kind that a read returns, and columns for the index."""
    each = range(rows)
    return pd.DataFrame(
        {
            "key": pd.Series([f"k{i}" for i in each], dtype=object),
            "number": pd.Series(each, dtype="int64"),
            "moment": pd.Series(each, dtype="int64").astype("datetime64[us]"),
            "other number": pd.Series([i - 5 for i in each], dtype="int64"),
            "unsigned": pd.Series([2**64 - 1 - i for i in each], dtype="uint64"),
            "float": pd.Series([i + 0.1 for i in each], dtype="float64"),
            "other float": pd.Series([None if i % 3 == 2 else i + 0.5 for i in each], dtype="float64"),
            "flag": pd.Series([i % 2 == 0 for i in each], dtype="bool"),
            "text": pd.Series([None if i % 4 == 1 else f"t{i}" for i in each], dtype=object),
            "day": pd.Series([dt.date(2024, 1, 1 + i) for i in each], dtype=object),
            "at": pd.Series([pd.Timestamp("2024-01-01 12:00") + pd.Timedelta(i, "us") for i in each], dtype="M8[us]"),
            "gaps": pd.Series([None if i % 2 else i for i in each], dtype="Int64"),
            "flag with gaps": pd.Series([None if i % 2 else True for i in each], dtype="boolean"),
            "long": pd.Series([2**70 + i for i in each], dtype=object),
            "exact": pd.Series([Decimal(f"0.1234567890123456789{i}") for i in each], dtype=object),
        }
    )


# ClicData types of columns of objects, for a frame without rows.
TYPES = {"key": "text", "text": "text", "day": "date", "long": "number", "exact": "number"}


READS: dict[str, dict[str, Any]] = {
    "whole": {},
    "its beginning": {"limit": PAGE + 1},
    "one column as index": {"index_col": "number"},
    "columns as index": {"index_col": ["key", "moment"]},
    "chunks smaller than a page": {"chunksize": PAGE - 1},
    "chunks larger than a page": {"chunksize": PAGE + 1},
    "chunks with an index": {"chunksize": PAGE - 1, "index_col": "moment"},
    "dtypes asked for": {
        "dtype": {"number": "int8", "other number": "float32", "at": "datetime64[us, Europe/Paris]", "text": "category"}
    },
    "dtypes that other columns have": {"dtype": {"gaps": "float64", "flag": "int64", "day": "datetime64[us]"}},
    "dtypes for chunks": {
        "dtype": {"number": "Int16", "at": "datetime64[ns, UTC]", "day": "period[D]", "text": "string"},
        "chunksize": PAGE - 1,
    },
    "numbers as dates": {"parse_dates": {"number": "s", "at": {"utc": True}}},
    "its schema": {"schema": every_kind(PAGE).clicdata.schema()},
    "its schema in chunks": {"schema": {"at": "datetime64[us, UTC]", "text": "large_string[pyarrow]"}, "chunksize": 3},
}


# The dialect has no effect on how a frame is made.
IN_BOTH_DIALECTS = ("whole", "its beginning", "chunks smaller than a page")


def selected_reads():
    """Yield every combination; slow except for one dialect, default dtypes and several pages, and whole reads."""
    for rows, backend, dialect, options in itertools.product(ROWS, BACKENDS, DIALECTS, READS):
        if options in IN_BOTH_DIALECTS or dialect == "2025.3":
            fast = dialect == "2025.3" and (options == "whole" or (rows == "several pages" and backend is None))
            yield pytest.param(rows, backend, dialect, options, marks=() if fast else pytest.mark.slow)


@pytest.fixture(scope="module")
def tables(new_sandbox):
    """Return a function from a dialect and a number of rows to a session and the RecId of a table."""
    with new_sandbox(page_size=PAGE) as sandbox:
        sessions = {dialect: signed_in(sandbox, dialect) for dialect in DIALECTS}
        made = {
            (dialect, rows): every_kind(rows)
            .clicdata.push(f"{dialect} {rows}", column_types=TYPES, session=session)
            .rec_id
            for (dialect, session), rows in itertools.product(sessions.items(), ROWS.values())
        }
        yield lambda dialect, rows: (sessions[dialect], made[dialect, rows])
        for session in sessions.values():
            session.close()


def numpy_memory(values):
    """Return the NumPy arrays that store a column or a block."""
    if isinstance(values, np.ndarray):
        return [values]
    for parts in (["_ndarray"], ["_data", "_mask"], ["_codes"]):
        if all(isinstance(getattr(values, part, None), np.ndarray) for part in parts):
            return [getattr(values, part) for part in parts]
    return []


def arrow_memory(values):
    """Return the Arrow buffers that store a column; pandas copies them before it writes."""
    held = getattr(values, "_pa_array", None)
    buffers = [] if held is None else [buffer for chunk in held.chunks for buffer in chunk.buffers() if buffer]
    return [np.frombuffer(buffer, "uint8") for buffer in buffers]


def memories(frame):
    """Return the arrays that store the columns and the index of a frame."""
    held = [block.values for block in frame._mgr.blocks]
    held += [] if isinstance(frame.index, pd.MultiIndex) else [frame.index.array]
    arrays = [array for values in held for array in numpy_memory(values)]
    assert all(array.flags.writeable for array in arrays)
    return [array for array in arrays + [array for values in held for array in arrow_memory(values)] if array.nbytes]


def assert_owned(frames):
    for frame in frames:
        assert frame._mgr.is_consolidated()
    held = [memories(frame) for frame in frames]
    for one, other in itertools.combinations(itertools.chain.from_iterable(held), 2):
        assert not np.may_share_memory(one, other)


def set_by_loc(frame, values):
    for name, value in values.items():
        frame.loc[np.arange(len(frame)) == 0, name] = value


def set_by_iloc(frame, values):
    for name, value in values.items():
        frame.iloc[:1, frame.columns.get_loc(name)] = value


def set_by_at(frame, values):
    for label in frame.index[:1]:
        for name, value in values.items():
            frame.at[label, name] = value


def set_by_mask(frame, values):
    for name, value in values.items():
        frame[name] = frame[name].mask(np.arange(len(frame)) == 0, value)


def fill(frame, values):
    for name, value in values.items():
        frame[name] = frame[name].fillna(value)


def update(frame, values):
    # For all rows, because pandas 2.2 makes floats of absent rows.
    others = {name: pd.Series([value] * len(frame), frame.index, frame.dtypes[name]) for name, value in values.items()}
    frame.update(pd.DataFrame(others))


def sort_in_place(frame, values):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The inplace keyword")
        frame.sort_values("float", inplace=True, ascending=False)
        frame.sort_index(inplace=True)


CHANGES = [set_by_loc, set_by_iloc, set_by_at, set_by_mask, fill, update, sort_in_place]


def extended(frame):
    """Return the frame with its index as columns, and more columns at both ends."""
    frame = frame.reset_index()
    frame.insert(0, "first", frame["float"])
    frame["last"] = "x"
    set_by_loc(frame, {name: frame[name].iloc[-1] if len(frame) else None for name in frame.columns[:3]})
    return frame


def by_hand(frame):
    """Return a frame of the same dtypes and values, made without a read."""
    columns = {name: pd.Series(frame[name].tolist(), dtype=frame.dtypes[name]) for name in frame}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame))).set_axis(frame.index.copy(deep=True))


@pytest.mark.parametrize(("rows", "backend", "dialect", "options"), [*selected_reads()])
def test_a_returned_frame_can_be_changed_like_any_other(tables, dialect, rows, backend, options):
    def read(number):
        session, rec_id = tables(dialect, number)
        returned = cd.read_clicdata(rec_id, session=session, dtype_backend=backend, **READS[options])
        return [returned] if isinstance(returned, pd.DataFrame) else list(returned)

    frames = read(ROWS[rows])
    assert_owned(frames)
    made = [by_hand(frame) for frame in frames]
    donor = read(ROWS["several pages"])[0]
    values = {
        name: donor[name].dropna().iloc[-1]
        for name, dtype in donor.dtypes.items()
        if dtype == frames[0].dtypes[name] and not isinstance(dtype, pd.CategoricalDtype)
    }
    for change in CHANGES:
        change(frames[0], values)
        change(made[0], values)
        for returned, expected in zip(frames, made, strict=True):
            pd.testing.assert_frame_equal(returned, expected)
    for returned, expected in zip(frames, made, strict=True):
        pd.testing.assert_frame_equal(extended(returned), extended(expected))


def test_many_columns_can_be_extended(session, name):
    pd.DataFrame(np.arange(300.0).reshape(2, 150)).clicdata.push(name, session=session)
    frame = cd.read_clicdata(name, session=session)
    frame["z"] = 1
    assert frame["z"].tolist() == [1, 1]


def test_a_version_can_be_changed(session, one_sandbox, name):
    one_sandbox.put_source(f"{name}.csv", "plane,seats\nA320,180\nB738,189\n")
    rec_id = one_sandbox.feed(name, f"{name}.csv")
    frame = cd.read_clicdata(rec_id, version=cd.versions(rec_id, session=session)["version"].iloc[0], session=session)
    frame.loc[frame["plane"] == "A320", "seats"] = 174
    assert_owned([frame])
    assert frame["seats"].tolist() == [174, 189]


def test_a_preview_can_be_changed(session, name):
    sent = pd.DataFrame({"plane": ["A320", "B738", "A388"], "seats": [180.0, 189.0, 853.0]})
    sent.clicdata.push(name, session=session)
    gone = sent[["plane"]].head(2).clicdata.delete_rows(name, on=["plane"], dry_run=True, session=session).preview
    gone.loc[gone["plane"] == "A320", "seats"] = 174
    assert_owned([gone])
    assert sorted(gone["seats"]) == [174, 189]


LISTS = {
    "account": lambda session: cd.Account(session).get_account(),
    "activity": lambda session: cd.Account(session).get_account_activity(),
    "dashboards": lambda session: cd.dashboards(session=session),
    "schedules": lambda session: cd.schedules(session=session),
    "tables": lambda session: cd.tables(session=session),
    "teams": lambda session: cd.Team(session).get_team(),
    "users": lambda session: cd.User(session).get_user(),
    "versions": lambda session: cd.versions("Planes", session=session),
    "schema": lambda session: every_kind(2).clicdata.schema(),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_can_be_changed(session, one_sandbox, what):
    if "Planes" not in cd.tables(session=session)["name"].tolist():
        pd.DataFrame({"seats": [180]}).clicdata.push("Planes", session=session)
    frame = LISTS[what](session)
    assert_owned([frame])
    made = pd.DataFrame({name: pd.Series(frame[name].tolist(), dtype=frame.dtypes[name]) for name in frame})
    for name in frame:
        value = frame[name].iloc[-1] if len(frame) else None
        # pandas cannot set a single cell to a list.
        value = value if pd.api.types.is_scalar(value) else None
        for each in (frame, made):
            set_by_loc(each, {name: value})
            set_by_mask(each, {name: value})
    frame["z"] = made["z"] = 1
    pd.testing.assert_frame_equal(frame, made)
