"""Any frame is either sent exactly, or refused by a `FrameError` before the first request.

``CLICDATA_LONG_TESTS=1`` tries 8,000 frames, others each time.
"""

import datetime as dt
import enum
import uuid
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from properties.numbers_of_examples import few_or, with_settings

import pandas_clicdata as cd


class Colour(enum.IntEnum):
    RED = 1


class Word(str):
    __slots__ = ()


class Unshown:
    def __repr__(self):
        raise RuntimeError("no repr")


ZONES = st.sampled_from(
    [dt.UTC, dt.timezone(dt.timedelta(hours=-11)), dt.timezone(dt.timedelta(hours=14, minutes=1, seconds=7))]
)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=6)


TEXT = st.text(st.characters(codec="utf-8"), max_size=6)


NANOS = st.integers(-(2**63) + 1, 2**63 - 1)


FLOATS = st.floats() | st.integers(-(2**60), 2**60).map(float)


SCALARS = {
    "missing": st.sampled_from([None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN")]),
    "bool": st.booleans() | st.booleans().map(np.bool_),
    "int": st.integers() | st.integers(-(2**63), 2**63 - 1).map(np.int64) | st.just(Colour.RED) | st.just(10**1001),
    "uint": st.integers(0, 2**64 - 1).map(np.uint64),
    "float": FLOATS | st.floats(width=32).map(np.float32) | st.floats(width=16).map(np.float16),
    "longdouble": FLOATS.map(lambda value: np.longdouble(value) / 3),
    "Decimal": st.decimals(),
    "text": TEXT | TEXT.map(Word) | TEXT.map(np.str_) | st.sampled_from(["00123", "1970-01-01", "2024-01-01 00:00:00"]),
    "any text": ANY_TEXT,
    "bytes": st.binary(max_size=3),
    "datetime": st.datetimes(),
    "aware datetime": st.datetimes(timezones=ZONES),
    "Timestamp": NANOS.map(pd.Timestamp)
    | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)).map(pd.Timestamp),
    "aware Timestamp": NANOS.map(lambda ns: pd.Timestamp(ns // 10000 * 1000, tz="UTC").tz_convert("Asia/Kathmandu")),
    "datetime64": st.builds(np.datetime64, st.integers(-(2**45), 2**45), st.sampled_from(["D", "s", "us", "ns", "ps"])),
    "date": st.dates(),
    "time": st.times() | st.times(timezones=ZONES),
    "timedelta": st.timedeltas() | NANOS.map(pd.Timedelta),
    "timedelta64": st.builds(np.timedelta64, st.integers(-(2**40), 2**40), st.sampled_from(["D", "s", "ns", "ps"])),
    "Period": st.builds(lambda n, freq: pd.Period(ordinal=n, freq=freq), st.integers(0, 4000), st.sampled_from("DMs")),
    "Interval": st.integers(0, 9).map(lambda n: pd.Interval(n, n + 0.5)),
    "complex": st.complex_numbers(),
    "list": st.lists(st.integers() | TEXT, max_size=2) | st.just(np.arange(2)) | st.just((1, "a")),
    "dict": st.dictionaries(TEXT | st.integers(), st.integers(), max_size=2),
    "other": st.sampled_from([uuid.UUID(int=0), object(), Unshown(), int, {1}]),
}  # fmt: skip


TYPED: dict[Any, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("Int64", "UInt64", "Int8", "int64", "uint8"), SCALARS["int"]),
    **dict.fromkeys(("float64", "Float64", "float32", "Float32", "float16", "longdouble"), FLOATS),
    **{f"datetime64[{unit}]": SCALARS["datetime64"] for unit in ("s", "ms", "us", "ns")},
    **{f"datetime64[{unit}, Europe/Paris]": SCALARS["datetime64"] for unit in ("s", "us", "ns")},
    **{f"timedelta64[{unit}]": SCALARS["timedelta64"] for unit in ("s", "us", "ns")},
    **dict.fromkeys(("str", "string"), SCALARS["any text"]),
    **dict.fromkeys(("bool", "boolean"), st.booleans()),
    "complex128": SCALARS["complex"],
    "Sparse[float64]": FLOATS,
    "Sparse[object]": SCALARS["any text"] | SCALARS["int"],
    "Sparse[int64, 0]": st.integers(-9, 9),
    "period[D]": st.dates(),
    "interval[int64, right]": SCALARS["Interval"],
    "category": st.one_of(*(SCALARS[kind] for kind in ("int", "float", "any text", "date", "datetime", "bytes"))),
    **{
        pd.ArrowDtype(kind): strategy
        for kind, strategy in {
            pa.int8(): st.integers(-128, 127),
            pa.float64(): FLOATS,
            pa.decimal128(20, 3): st.decimals(-1000, 1000, places=3),
            pa.large_string(): TEXT,
            pa.binary(): st.binary(max_size=3),
            pa.timestamp("ns", "Asia/Tokyo"): NANOS,
            pa.timestamp("s"): st.integers(-(2**63), 2**63 - 1),
            pa.date32(): st.integers(-(2**31), 2**31 - 1),
            pa.date64(): st.integers(-(10**5), 10**7).map(lambda day: day * 86_400_000),
            pa.time64("ns"): st.integers(0, 86_400 * 10**6 - 1).map(lambda micros: micros * 1000),
            pa.duration("s"): st.integers(-(2**63), 2**63 - 1),
            pa.list_(pa.int8()): st.lists(st.integers(-9, 9), max_size=2),
            pa.bool_(): st.booleans(),
            pa.uint64(): st.integers(0, 2**64 - 1),
            pa.float32(): st.floats(width=32),
            pa.decimal256(76, 38): st.decimals(-(10**37), 10**37, places=30),
            pa.time32("s"): st.integers(0, 86_399),
            pa.duration("ns"): NANOS,
            pa.dictionary(pa.int8(), pa.string()): TEXT,
            pa.struct({"a": pa.int8()}): st.fixed_dictionaries({"a": st.integers(-9, 9)}),
            pa.null(): st.none(),
        }.items()
    },
}  # fmt: skip


ODD_NAMES = [
    "a",
    "A",
    "a ",
    "",
    " ",
    "1",
    1,
    "ß",
    "SS",
    'q"\\',
    "[x].y",
    None,
    True,
    1.5,
    ("a", "b"),
    "n" * 255,
    "\ud800",
    10**5000,
    Unshown(),
    pd.Timestamp("2024-01-01"),
    np.int8(3),
    np.str_("s"),
    "rec_id",
]


AXES = [
    pd.RangeIndex(3),
    pd.date_range("2024-01-01", periods=3),
    pd.period_range("2024-01", periods=3, freq="M"),
    pd.interval_range(0, 3),
    pd.MultiIndex.from_product([["a"], [1, 2, 3]]),
    pd.Index(["p", "q", None], dtype="category"),
    pd.Index(["p", "q", "r"], dtype="string"),
    pd.Index([0.5, np.nan, 1]),
]


NAMES = TEXT | st.sampled_from(ODD_NAMES) | st.integers(-2, 2)


@st.composite
def typed_columns(draw, height):
    dtype = draw(st.sampled_from(sorted(TYPED, key=str)))
    strategy = st.none() | TYPED[dtype] if draw(st.booleans()) else TYPED[dtype]
    values = draw(st.lists(strategy, min_size=height, max_size=height))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(dtype, pd.ArrowDtype):
                return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, dtype.pyarrow_dtype)), dtype=dtype)
            return pd.Series(values, dtype=dtype)
    except Exception:
        return pd.Series(values, dtype=object)  # no such column can be made of these


@st.composite
def object_columns(draw, height):
    kinds = draw(st.lists(st.sampled_from(sorted(SCALARS)), min_size=1, max_size=2))
    strategy = st.one_of(SCALARS["missing"], *(SCALARS[kind] for kind in kinds))
    return pd.Series(draw(st.lists(strategy, min_size=height, max_size=height)), dtype=object)


@st.composite
def frames(draw):
    height = draw(st.integers(0, 4))
    columns = draw(st.lists(typed_columns(height) | object_columns(height), min_size=0, max_size=3))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(height))
    match draw(st.sampled_from(["plain"] * 6 + ["any", "any", "axis"])):
        case "plain":
            frame.columns = pd.Index(list("xyz"[: len(columns)]), dtype=object)
        case "any":
            frame.columns = pd.Index([draw(NAMES) for _ in columns], dtype=object, tupleize_cols=False)
        case "axis":
            frame.columns = draw(st.sampled_from(AXES))[: len(columns)]
    frame = draw(indexed(frame))
    frame = frame.iloc[draw(st.sampled_from([slice(None), slice(None, None, 2), slice(None, None, -1)]))]
    if draw(st.booleans()):
        frame.attrs = {"units": [1, "m"]}
    return frame


@st.composite
def indexed(draw, frame):
    levels = [draw(typed_columns(len(frame)) | object_columns(len(frame))) for _ in range(draw(st.integers(0, 2)))]
    if not levels:
        return frame.set_axis([f"row {n}" for n in range(len(frame))]) if draw(st.booleans()) else frame
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            indexes = [pd.Index(level.array, dtype=level.dtype) for level in levels]
            frame = frame.set_axis(indexes[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(indexes))
            frame.index.names = [draw(st.none() | NAMES) for _ in levels]
    except Exception:
        return frame  # no such index can be made of these
    return frame


def number(value):
    if isinstance(value, np.float16 | np.float32) and not float(value).is_integer():
        return Decimal(str(value))  # the shortest text of its own width
    return Decimal(repr(float(value))) if isinstance(value, float | np.floating) else Decimal(int(value))


def on_the_wire(value, series):
    """Return the JSON value for a value, or a function that checks it."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.timedelta64 | dt.timedelta):
        return lambda sent: pd.Timedelta(sent) == value
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float | np.number):
        if isinstance(value, np.float32 | np.float16) and series.dtype == object:
            value = float(value)
        return number(value)
    if isinstance(value, dt.datetime):
        aware = value.tzinfo is not None
        return (value.astimezone(dt.UTC) if aware else value).replace(tzinfo=None).isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def is_missing(value):
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or value is pd.NA or value is pd.NaT or (pd.api.types.is_scalar(value) and pd.isna(value))


def as_python(series):
    """Return the values as Python objects, unchanged."""
    if isinstance(series.dtype, pd.ArrowDtype):
        values = series.array.__arrow_array__().to_pylist()
        single = series.dtype.pyarrow_dtype == pa.float32()
        return [np.float32(value) if single and value is not None else value for value in values]
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fmM":
        return list(series.to_numpy())
    own = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if str(own).lower() == "float32":
        return [value if is_missing(value) else np.float32(value) for value in series]
    return list(series)


def carries_data(index):
    """Return whether an index has a name, several levels, or labels other than integers."""
    if index.nlevels > 1 or index.name is not None:
        return True
    if index.dtype == object:
        return index.inferred_type not in ("integer", "empty")
    return not pd.api.types.is_integer_dtype(index.dtype)


def columns_of(frame, index):
    """Return labels and columns in the order in which they are sent, levels of the index first."""
    columns = [(label, frame.iloc[:, position]) for position, label in enumerate(frame.columns)]
    if not index:
        return columns
    names = list(frame.index.names)
    plain = frame.index.set_names([None] * len(names))
    unnamed = "index" if len(names) == 1 and "index" not in frame.columns else None
    levels = [plain.get_level_values(level) for level in range(len(names))]
    return [
        ((unnamed or f"level_{level}") if name is None else name, pd.Series(values.array, dtype=values.dtype))
        for level, (name, values) in enumerate(zip(names, levels, strict=True))
    ] + columns


def text_of(label):
    try:
        return str(label)
    except Exception:
        return "none"


@pytest.mark.parametrize("as_text", [False, True], ids=["plain", "as text"])
@few_or(70, few=30, long=4000)
def test_any_frame_is_sent_exactly_or_refused_before_the_first_request(accounts, as_text, examples):
    @with_settings(examples)
    @given(
        frame=frames(),
        index=st.sampled_from([None, False, True]),
        dialect=st.sampled_from(["2025.3", "unversioned"]),
        backend=st.sampled_from([None, None, "numpy_nullable", "pyarrow"]),
    )
    def is_sent_or_refused(frame, index, dialect, backend):
        sandbox, sessions = accounts()
        session = sessions[dialect]
        since = sandbox.requests[-1].number if len(sandbox.requests) else 0
        columns = columns_of(frame, carries_data(frame.index) if index is None else index)
        options: dict[str, Any] = {"column_types": {text_of(label): "text" for label, _ in columns}} if as_text else {}
        try:
            receipt, refusal = cd.push(frame, f"T {uuid.uuid4()}", index=index, session=session, **options), None
        except cd.FrameError as exc:
            receipt, refusal = None, exc
        event("sent" if refusal is None else f"refused: {type(refusal).__name__}")
        if refusal is not None:
            assert not [entry for entry in sandbox.requests if entry.number > since]
            labels = [repr(text_of(label)) for label, _ in columns] + [shown(label) for label, _ in columns]
            assert not labels or any(label in str(refusal) for label in labels)
            assert refusal.column is None or refusal.column in [text_of(label) for label, _ in columns]
            assert refusal.column is not None or isinstance(refusal, cd.ColumnNameError)
            return
        assert receipt is not None
        assert receipt.rec_id is not None
        rows = sandbox.ledger.rows(receipt.rec_id)
        assert len(rows) == len(frame)
        back = cd.read_clicdata(receipt.rec_id, dtype_backend=backend, session=session)
        assert list(back.columns) == [str(label) for label, _ in columns]
        for label, series in columns:
            column = str(label)
            for value, row, read in zip(as_python(series), rows, back[column], strict=True):
                if is_missing(value):
                    assert row[column] is None
                    assert is_missing(read)
                    continue
                if as_text:
                    assert type(row[column]) is str
                    assert read == row[column]
                    continue
                expected = on_the_wire(value, series)
                sent = row[column]
                if callable(expected):
                    assert expected(sent)
                    assert read == sent
                elif isinstance(expected, Decimal):
                    assert type(sent) in (int, Decimal)
                    assert sent == expected
                    assert number_read(read) == expected
                else:
                    assert type(sent) is type(expected)
                    assert sent == expected
                    assert str(read) == str(expected) or pd.Timestamp(read) == pd.Timestamp(expected)

    def shown(label):
        try:
            return repr(label)[:60]
        except Exception:
            return f"<{type(label).__name__}>"

    def number_read(value):
        return Decimal(value) if isinstance(value, Decimal | str) else number(value)

    is_sent_or_refused()
