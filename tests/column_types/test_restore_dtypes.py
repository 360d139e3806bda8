"""schema= of a read: columns return in the exact dtypes that were pushed, or the error names the cell."""

import datetime as dt
import io
import itertools
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from columns import of_ticks, prepared
from properties.column_kinds import BACKENDS, DAYS, KINDS, PARIS, D, arrow, assert_equal, category
from properties.drawn_frames import arrow_series, objects

import pandas_clicdata as cd
from pandas_clicdata._models import ColumnType, DecodedColumn, Kind
from pandas_clicdata.errors import (
    ColumnConversionError,
)
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.types import infer, recast, to_pandas
from pandas_clicdata.types.rules import LITERAL_RULE, RULES

pytestmark = pytest.mark.sampled(1)

OWN_TEXT = pa.array(pd.Series(["a"])).type


def read_as(dtype, *texts):
    return recast.restore_targets({"x": dtype})["x"].series("x", pa.chunked_array([pa.array(texts, pa.large_string())]))


class Foreign(pd.api.extensions.ExtensionDtype):
    """A dtype of another package."""

    name = "foreign"
    type = object


WHOLE_AND_IN_CHUNKS: list[dict[str, Any]] = [{}, {"chunksize": 1}]
"""Options of a read that returns one frame, and of a read in chunks."""


JSON_COLUMNS = [
    pd.Series([1 + 2j, -0.5j]),
    objects([1 + 2j, None]),
    objects([b"\x00a", None, b""]),
    objects([[1, "a", None, {"b": [True, 0.1]}], None, []]),
    objects([{"é\n": 1}, "a", 1, None, 2.5]),
    objects([uuid.UUID(int=7), None]),
    pd.Series(pd.Categorical([(1, "a"), None, (2,)])),
    pd.Series(pd.Categorical([b"b", b"a"], ordered=True)),
    *(
        arrow_series(pa.array(values, arrow_type))
        for arrow_type, values in (
            (pa.binary(), [b"\xff", None]),
            (pa.large_binary(), [b"\xff", None]),
            (pa.binary(2), [b"\xff\x00", None]),
            (pa.large_list(pa.time64("us")), [[dt.time(1, 2, 3, 4), None]]),
            (pa.list_(pa.date64(), 1), [[dt.date(2024, 1, 1)]]),
            (pa.list_(pa.dictionary(pa.int8(), pa.binary())), [[b"a", None, b"a"]]),
            (pa.list_(pa.int8()), [[1, None], None, []]),
            (pa.struct({"a": pa.date32(), "b": pa.list_(pa.decimal128(5, 2))}),
             [{"a": dt.date(2024, 1, 1), "b": [D("1.10")]}, None]),
            (pa.map_(pa.string(), pa.duration("s")), [[("a", dt.timedelta(seconds=1))], None]),
            (pa.list_(pa.timestamp("us", PARIS)), [[dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]]),
            (pa.list_(pa.float16()), [[np.float16(0.1), None], None]),
            (pa.list_view(pa.binary()), [[b"xy", None], None]),
            (pa.binary_view(), [b"xy", None]),
            (pa.string_view(), ["xy", None]),
            *((pa.list_(text), [["xy", None]]) for text in (pa.string(), pa.large_string(), pa.string_view())),
            (pa.list_(pa.bool_()), [[True, None]]),
            (pa.list_(pa.null()), [[None, None]]),
            (pa.large_list_view(pa.int8()), [[1, None], None]),
            *([(pa.uuid(), [b"x" * 16, None])] if hasattr(pa, "uuid") else []),
        )
    ),
    arrow_series(pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array([[1], [2, None]]))),
    arrow_series(pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([np.float16(0.1), np.float16(2)]))),
    arrow_series(pc.run_end_encode(pa.array(["a", "a", None]), run_end_type=pa.int16())),
]  # fmt: skip


def test_every_rule_has_column_kinds():
    assert set(KINDS) == {rule.arrow for rule in (LITERAL_RULE, *RULES)}


def test_every_encoder_of_a_rule_is_tested():
    for rule in (LITERAL_RULE, *RULES):
        tried = {rule.default, *itertools.chain(*(kind.data_types for kind in KINDS[rule.arrow]))}
        assert rule.arrow == "null" or {str(data_type) for data_type in rule.encoders} - {"datetime"} <= {
            *map(str, tried)
        }, rule.arrow


@pytest.mark.parametrize("with_null", [False, True], ids=["full", "null"])
@pytest.mark.parametrize("row", KINDS)
def test_every_rule_restores_its_dtypes(session, name, row, with_null):
    kinds = [kind for kind in KINDS[row] if kind.values and (kind.nullable or not with_null)]
    frame = pd.DataFrame(
        {
            f"{number} {data_type}": repeated(kind.series(with_null))
            for number, kind in enumerate(kinds)
            for data_type in ("default", *kind.data_types)
        }
    )
    columns = {label: label.split()[1] for label in frame.columns if not label.endswith("default")}
    cd.push(frame, name, column_types=columns, session=session)
    schema = frame.clicdata.schema(column_types=columns)
    assert [*map(str, schema["dtype"])] == [*map(str, frame.dtypes)]
    for backend in BACKENDS:
        assert_equal(cd.read_clicdata(name, schema=schema, dtype_backend=backend, session=session), frame)
    chunks = [*cd.read_clicdata(name, schema=schema, chunksize=4, session=session)]
    assert [*map(len, chunks)] == [4, 4, 3]
    for start, chunk in zip((0, 4, 8), chunks, strict=True):
        assert_equal(chunk, frame.iloc[start : start + 4])
    empty = next(iter(cd.read_clicdata(name, schema=schema, chunksize=2, limit=0, session=session)))
    assert_equal(empty, frame.iloc[:0])
    assert_arrow_batches(cd.read_clicdata_batches(name, schema=schema, session=session), frame)


def repeated(series, height=11):
    """Repeat the values up to a common number of rows."""
    return series.iloc[[at % len(series) for at in range(height)]].reset_index(drop=True)


def assert_arrow_batches(reader, frame):
    """Check that batches have the types of their schema, and the values."""
    table = reader.read_all()
    assert table.num_rows == len(frame)
    table.validate(full=True)
    for name, column in frame.items():
        assert table[name].null_count == column.isna().sum()
        if isinstance(column.dtype, pd.ArrowDtype):
            assert table.schema.field(name).type == column.dtype.pyarrow_dtype
            assert table[name].to_pylist() == column.array.__arrow_array__().to_pylist()


@pytest.mark.parametrize("number", range(len(JSON_COLUMNS)))
def test_values_sent_as_json_text_are_restored(session, name, number):
    frame = JSON_COLUMNS[number].to_frame("x")
    options: dict[str, Any] = {"column_types": {"x": "text"}}
    cd.push(frame, name, session=session, **options)
    schema = frame.clicdata.schema(**options)
    back = cd.read_clicdata(name, schema=schema, session=session)
    assert back["x"].dtype == frame["x"].dtype
    assert repr(back["x"].tolist()) == repr(frame["x"].tolist())
    assert_arrow_batches(cd.read_clicdata_batches(name, schema=schema, session=session), frame)


def test_objects_of_two_kinds_sent_as_json_text_are_read_as_json(session, name):
    frame = objects([b"a", uuid.UUID(int=7)]).to_frame("x")
    cd.push(frame, name, column_types={"x": "text"}, session=session)
    back = cd.read_clicdata(name, schema=frame.clicdata.schema(column_types={"x": "text"}), session=session)
    assert back["x"].tolist() == ["YQ==", str(uuid.UUID(int=7))]


REFUSED = [
    (pd.Series([1, 300]), "int8", 1, "300", "is out of range"),
    (pd.Series([1, -1]), "UInt64", 1, "-1", "is out of range"),
    (pd.Series([1, 1.5]), "Int64", 1, "1.5", "is not a whole number"),
    (objects([1, 10**200]), arrow(pa.int64()), 1, str(10**50), "is out of range"),
    (objects([1, 10**39]), "float32", 1, str(10**39), "is out of range"),
    (pd.Series([1.0, 65536.0]), "float16", 1, "65536.0", "is out of range"),
    (objects([1, 10**400]), "float64", 1, "1000", "is out of range"),
    (pd.Series([1.0, None]), "int8", 1, "None", "is missing"),
    (pd.Series([True, None], dtype="boolean"), "bool", 1, "None", "is missing"),
    (pd.Series([1, 2]), "bool", 1, "2", "neither true nor false"),
    (pd.Series(["1", "x"]), "int8", 1, "x", "is not a number"),
    (pd.Series(["1", "0x1F"]), "int64", 1, "0x1F", "is not a number"),
    (pd.Series(["1", " 2"]), "float64", 1, " 2", "is not a number"),
    (pd.Series(["1", "inf"]), "float64", 1, "inf", "is not a number"),
    (pd.Series(["a", "z"]), category(["a", "b"]), 1, "z", "not one of its categories"),
    (pd.Series([1, 300]), category(np.array([1, 2], "int8")), 1, "300", "is out of range"),
    (pd.Series(["P1DT0H0M0S", "1 day"]), "timedelta64[ns]", 1, "1 day", "is not a duration"),
    (pd.Series(["P1DT0H0M0S", "5"]), "timedelta64[ns]", 1, "5", "is not a duration"),
    (pd.Series(["P0DT0H0M1S", "P0DT0H0M0.5S"]), "timedelta64[s]", 1, "0.5", "finer than the unit s"),
    (pd.Series(["P0DT0H0M0.001S", "P0DT0H0M0.0015S"]), "timedelta64[ms]", 1, "0.0015", "finer than the unit ms"),
    (
        pd.Series(["P0DT0H0M0.000001S", "P0DT0H0M0.0000015S"]),
        "timedelta64[us]",
        1,
        "0.0000015",
        "finer than the unit us",
    ),
    (pd.Series(["2024-01-01 00:00:00", "x"]), "datetime64[us]", 1, "x", "is not a datetime"),
    (pd.Series(["2024-01-01 00:00:00.500000", None]), "datetime64[s]", 0, ".500", "finer than the unit s"),
    (pd.Series([None, "1500-01-01 00:00:00"]), "datetime64[ns, UTC]", 1, "1500", "finer than the unit ns"),
    (
        pd.Series(["2024-01-01 00:00:00", "9999-12-31 23:00:00"]),
        "datetime64[s, Asia/Tokyo]",
        1,
        "9999",
        "outside the years",
    ),
    (
        pd.Series(["0001-01-01 04:00:00", None]),
        arrow(pa.timestamp("s", "America/New_York")),
        0,
        "0001",
        "outside the years",
    ),
    (pd.Series(["2024-01-01 00:00:00", "2024-01-01 12:00:00"]), arrow(pa.date32()), 1, "12:00", "has a time of day"),
    (pd.Series(["00:00:00", "24:00:00"]), arrow(pa.time64("us")), 1, "24:00", "is not a time of day"),
    (pd.Series(["00:00:00", "00:00:00.5"]), arrow(pa.time32("s")), 1, ".5", "finer than the unit s"),
    (pd.Series(["2024-01", "2024-13"]), "period[M]", 1, "2024-13", "is not a period"),
    (pd.Series(["2024-01", "2024-01-01"]), "period[M]", 1, "2024-01-01", "is not a period"),
    (pd.Series(["[0.0, 1.0)", "(0.0, 1.0]"]), "interval[float64, left]", 1, "(0.0, 1.0]", "closed left"),
    (pd.Series(["[0, 1)", "[2, 1)"]), "interval[int64, left]", 1, "[2, 1)", "is not an interval"),
    (pd.Series(["[0, 1)", None]), "interval[int64, left]", 1, "None", "is missing"),
    (pd.Series([D("1.10"), D("1000")]), arrow(pa.decimal128(5, 2)), 1, "1000", "has more digits"),
    (pd.Series([D("1.10"), D("1.105")]), arrow(pa.decimal128(5, 2)), 1, "1.105", "has more digits"),
    (pd.Series([D("1.5"), D("1E+9999")]), arrow(pa.decimal128(5, 2)), 1, "9999", "has more digits"),
    (pd.Series([1, 2]), dt.date, 0, "1", "is not a date"),
    (pd.Series(["a", None]), arrow(pa.null()), 0, "a", "is a value"),
    *(
        (pd.Series([fits, other]), arrow(arrow_type), 1, other, "is not JSON of this type")
        for arrow_type, fits, other in (
            (pa.list_(pa.int8()), "[1]", "[300]"),
            (pa.list_(pa.int8()), "[1]", "[1.5]"),
            (pa.list_(pa.int8()), "[1]", "null"),
            (pa.list_(pa.string()), '["a"]', '"a"'),
            (pa.list_(pa.string()), '["a"]', '{"a": 1}'),
            (pa.list_(pa.timestamp("s")), '["2024-01-01T00:00:00"]', '["2024-01-01T00:00:00.500000"]'),
            (pa.list_(pa.time32("s")), '["01:02:03"]', '["01:02:03.500000"]'),
            (pa.struct({"a": pa.int8()}), '{"a": 1}', '{"b": 1}'),
            (pa.struct({"a": pa.int8()}), '{"a": 1}', '{"a": 1, "b": 1}'),
            (pa.binary(), '"eHk="', "xy"),
            (pa.list_(pa.int8()), "[1]", "[" * 100_000),
        )
    ),
    (pd.Series(["[1]", "5"]), arrow(pa.list_(pa.int8())), 1, "5", "is not JSON of this type"),
    (
        pd.Series(['["1.50"]', '["x"]']),
        arrow(pa.list_(pa.decimal128(5, 2))),
        1,
        "x",
        "is not JSON of this type",
    ),
    (
        pd.Series(["[0.5]", "[1e400]"]),
        arrow(pa.list_(pa.float64())),
        1,
        "1e400",
        "has a number beyond the range of a float",
    ),
    (
        pd.Series(["[0.5]", "[NaN]"]),
        arrow(pa.list_(pa.float64())),
        1,
        "NaN",
        "has a number beyond the range of a float",
    ),
    (pd.Series(['"YQ=="', '"Y Q=="']), arrow(pa.binary()), 1, "Y Q", "is not JSON of this type"),
    (pd.Series(["P1DT0H0M0S", "PT"]), "timedelta64[ns]", 1, "PT", "is not a duration"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)), ids=lambda n: f"{REFUSED[n][3][:9]} as {REFUSED[n][1]}")
def test_an_error_names_the_cell_that_a_dtype_does_not_hold(session, name, case):
    series, dtype, row, shown, why = REFUSED[case]
    text = isinstance(series.iloc[0] or series.iloc[1], str)
    cd.push(series.to_frame("x"), name, column_types={"x": "text"} if text else None, session=session)
    for options in WHOLE_AND_IN_CHUNKS:
        with pytest.raises(cd.ColumnConversionError, match=r"^Column 'x', row") as caught:
            list(cd.read_clicdata(name, schema={"x": dtype}, session=session, **options))
        error = caught.value
        assert (error.column, error.row) == ("x", row)
        assert error.value is not None
        assert shown[:40] in error.value
        assert why in str(error)


# the schema


def test_a_schema_has_four_forms(session, name):
    frame = pd.DataFrame(
        {"a": pd.Series([1, 2], dtype="int8"), "day": DAYS[:2], "s": pd.Series(["x", "1"], dtype="string")}
    )
    cd.push(frame, name, session=session)
    schema = frame.clicdata.schema()
    csv = pd.read_csv(io.StringIO(schema.to_csv(index=False)))
    for each in (schema, csv, schema.set_index("column")["dtype"], {"a": np.int8, "day": dt.date, "s": "string"}):
        assert_equal(cd.read_clicdata(name, schema=each, session=session), frame)
    types = pa.schema({"a": pa.int8(), "day": pa.date64(), "s": pa.large_string()})
    back = cd.read_clicdata(name, schema=types, session=session)
    assert [dtype.pyarrow_dtype for dtype in back.dtypes] == list(types.types)
    assert cd.read_clicdata_batches(name, schema=types, session=session).schema == types


def test_other_columns_have_default_dtypes_and_dtype_takes_precedence(session, name):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    cd.push(frame, name, session=session)

    def dtypes(**options):
        back = cd.read_clicdata(name, session=session, **options)
        return {label: str(dtype) for label, dtype in back.dtypes.items()}

    schema = {"b": "int8", "a": "float32"}
    assert dtypes(schema=schema) == {"a": "float32", "b": "int8", "c": "int64"}
    assert dtypes(schema=schema, dtype={"a": "Int16"}) == {"a": "Int16", "b": "int8", "c": "int64"}
    assert dtypes(schema=schema, dtype="float64") == dict.fromkeys("abc", "float64")
    assert dtypes(schema=schema, columns=["c", "b"]) == {"c": "int64", "b": "int8"}
    assert dtypes(schema={"z": "int8", **schema}, columns=["b"]) == {"b": "int8"}
    assert cd.read_clicdata(name, schema=schema, columns=["b"], index_col="a", session=session).index.dtype == "float32"
    assert dtypes(schema={"a": object, "b": "category"}) == {"a": "object", "b": "category", "c": "int64"}
    for options in WHOLE_AND_IN_CHUNKS:
        with pytest.raises(
            cd.ColumnNotFoundError, match=r"schema= names 'x', 'y', which .* Its columns: 'a', 'b', 'c'"
        ):
            cd.read_clicdata(name, schema={"x": "int8", "a": "int8", "y": "int8"}, session=session, **options)
    with pytest.raises(cd.ColumnNotFoundError, match=r"'A'.*Did you mean 'a'\?"):
        cd.read_clicdata_batches(name, schema={"A": "int8"}, session=session)


@pytest.mark.parametrize(
    ("schema", "kind", "why"),
    [
        (5, TypeError, "not a int.$"),
        *(
            (pd.DataFrame({each: ["int8"]}), TypeError, "not a DataFrame without columns 'column' and 'dtype'")
            for each in ("a", "column", "dtype")
        ),
        ({"a": "int128"}, ValueError, "'a' the dtype 'int128'"),
        ({"a": "decimal128(5, 2)[pyarrow]"}, ValueError, "Pass the dtype itself"),
        ({"a": "S5"}, ValueError, "'a'"),
        ({"a": "period[nonsense]"}, ValueError, "'a' the dtype"),
        ({"a": "datetime64[D]"}, ValueError, "'a' the dtype"),
        ({"a": Foreign()}, ValueError, "'a' the dtype"),
        ({"a": "values written as JSON"}, ValueError, "'a'"),
        ({"a": arrow(pa.list_(pa.float16())).pyarrow_dtype, 1: "V8"}, ValueError, "'1'"),
        ({"a": None}, ValueError, "the dtype None"),
        ({"a": "interval"}, ValueError, "a closed side"),
        ({"a": "interval[int64]"}, ValueError, "a closed side"),
        ({"a": pd.IntervalDtype(closed="left")}, ValueError, "cannot be read: an interval dtype needs"),
        (pa.schema({"a": pa.dense_union([pa.field("x", pa.int8())])}), ValueError, "read from JSON"),
        (pa.schema({"a": pa.list_(pa.month_day_nano_interval())}), ValueError, "read from JSON"),
        (
            pa.schema({"a": pa.run_end_encoded(pa.int16(), pa.dictionary(pa.int8(), pa.string()))}),
            ValueError,
            "no kernel",
        ),
        (pd.DataFrame({"column": ["a", "a"], "dtype": ["int8", "int8"]}), ValueError, "'a' twice"),
    ],
)
def test_an_invalid_schema_is_refused_before_any_request(sessions, one_sandbox, schema, kind, why):
    before = len(one_sandbox.requests)
    for read in (cd.read_clicdata, cd.read_clicdata_batches):
        with pytest.raises(kind, match=why.replace("(", r"\(")):
            read("T", schema=schema, session=sessions["2025.3"])
    assert len(one_sandbox.requests) == before


@pytest.mark.parametrize("kind", [str, int, float, bool, complex])
def test_a_python_type_is_the_dtype_of_pandas(kind):
    assert recast.restore_targets({"x": kind})["x"].dtype == pd.api.types.pandas_dtype(kind)
    assert recast.restore_targets({"x": dt.date})["x"].dtype == object
    with pytest.raises(ValueError, match="which cannot be read"):
        recast.restore_targets({"x": bytes})


def test_an_empty_table_and_an_index_are_restored(session, name):
    frame = pd.DataFrame(
        {kind: KINDS[row][0].series(with_null=False).iloc[:0] for kind, row in zip("abcdefghijkl", KINDS, strict=True)}
    )
    cd.push(frame, name, session=session)
    schema = frame.clicdata.schema()
    assert_equal(cd.read_clicdata(name, schema={"a": "int8"}, session=session)[["a"]], frame[["a"]])
    back = cd.read_clicdata(name, schema=schema.assign(dtype=list(frame.dtypes)), session=session)
    assert [*map(str, back.dtypes)] == [*map(str, frame.dtypes)]
    indexed = pd.DataFrame({"x": [1, 2]}, pd.CategoricalIndex(["b", "a"], ["c", "b", "a"], ordered=True, name="i"))
    cd.push(indexed, f"{name} indexed", index=True, session=session)
    schema = indexed.clicdata.schema(index=True)
    back = cd.read_clicdata(f"{name} indexed", schema=schema, index_col="i", session=session)
    pd.testing.assert_frame_equal(back, indexed)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([1, 2], dtype="int8", name="i"),
        pd.Index([2, 1], dtype="uint32", name="i"),
        pd.Index([dt.datetime(2024, 1, 1), None], dtype=object, name="i"),
        pd.Index([1, 2], dtype=object, name="i"),
        pd.PeriodIndex(["2024-01", None], freq="M", name="i"),
        pd.MultiIndex.from_arrays([pd.Index([1, 2], dtype="int8"), pd.Categorical(["a", None])], names=["i", "j"]),
    ],
    ids=lambda index: str(index.dtype) if index.nlevels == 1 else "levels",
)
def test_the_index_has_the_dtype_of_its_column(session, name, index):
    frame = pd.DataFrame({"x": [1, 2]}, index)
    cd.push(frame, name, index=True, session=session)
    options = {"index_col": list(index.names), "session": session}
    back = cd.read_clicdata(name, schema=frame.clicdata.schema(index=True), **options)
    pd.testing.assert_frame_equal(back, frame, check_index_type=True)
    asked = {name: index.get_level_values(name).dtype for name in index.names}
    if object not in asked.values():
        assert cd.read_clicdata(name, dtype=asked, **options).index.dtype == index.dtype


def test_a_dtype_that_an_index_cannot_have_is_refused(session, name):
    cd.push(pd.DataFrame({"i": [0.5], "x": [1]}), name, session=session)
    with pytest.raises(cd.ColumnConversionError, match="Column 'i' cannot be the index: float16") as caught:
        cd.read_clicdata(name, schema={"i": "float16"}, index_col="i", session=session)
    assert caught.value.column == "i"


def test_dtypes_are_restored_without_column_metadata(serve):
    _, session = serve("unversioned", assume=Assumptions(column_metadata=False))
    kinds = {row: next(kind for kind in KINDS[row] if kind.nullable) for row in KINDS}
    frame = pd.DataFrame({row: repeated(kind.series(with_null=True)) for row, kind in kinds.items()})
    schema = frame.clicdata.schema()
    for table, rows in (("full", frame), ("nulls", frame.iloc[[1]]), ("empty", frame.iloc[:0])):
        cd.push(rows, table, index=False, session=session)
        assert_equal(cd.read_clicdata(table, schema=schema, session=session), rows)
        chunks = [*cd.read_clicdata(table, schema=schema, chunksize=100, session=session)]
        assert len(chunks) == 1
        assert_equal(chunks[0], rows)
        assert_arrow_batches(cd.read_clicdata_batches(table, schema=schema, session=session), rows)


@pytest.mark.parametrize(
    ("dtype", "arrow_type"),
    [
        (pd.DatetimeTZDtype("us", "Europe/Paris"), pa.timestamp("us", "Europe/Paris")),
        (pd.DatetimeTZDtype("ns", "UTC"), pa.timestamp("ns", "UTC")),
        (pd.DatetimeTZDtype("s", dt.timezone(dt.timedelta(hours=1))), pa.timestamp("s", "UTC")),
        (pd.SparseDtype("int8", 0), pa.int8()),
        (pd.ArrowDtype(pa.list_(pa.int8())), pa.list_(pa.int8())),
        (pd.CategoricalDtype(["b", "a"]), pa.dictionary(pa.int8(), OWN_TEXT)),
        (pd.CategoricalDtype([1.5]), pa.dictionary(pa.int8(), pa.float64())),
        (pd.CategoricalDtype([]), None),
        (pd.CategoricalDtype(pd.PeriodIndex(["2024-01"], freq="M")), None),
        (pd.PeriodDtype("M"), None),
        (pd.IntervalDtype("float64", "left"), None),
        (pd.IntervalDtype("datetime64[us]", "both"), None),
        (np.dtype("complex128"), None),
        (np.dtype("float16"), pa.float16()),
        (np.dtype("m8[s]"), pa.duration("s")),
        (dt.date, pa.date32()),
        (dt.datetime, pa.timestamp("us")),
        (dt.timedelta, pa.duration("ns")),
        (dt.time, None),
        (Decimal, None),
    ],
    ids=str,
)
def test_a_target_has_one_type_in_arrow_batches_or_stays_text(dtype, arrow_type):
    assert recast.restore_targets({"x": dtype})["x"].arrow_type == arrow_type


# texts of one dtype


def test_dates_and_datetimes_of_several_offsets_are_one_column():
    texts = ["2024-01-01", "2024-01-01T02:00:00+02:00", None, "2024-01-01 00:30", "2024-01-01T00:00:00.5Z"]
    read = infer.infer_column(
        DecodedColumn(Kind.TEXT, pa.chunked_array([texts], pa.large_string())), ColumnType.DATETIME
    ).values
    day = dt.datetime(2024, 1, 1)
    expected = [day, day, None, day.replace(minute=30), day.replace(microsecond=500000)]
    assert read.to_pylist() == expected
    assert (
        read_as("datetime64[us]", *texts).astype(object).where(read.is_valid().to_pylist(), None).tolist() == expected
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("1E+3", None), ("-1.0", None), ("1E+9999", None), ("1E+10000", "longer"), ("1.5", "not a whole number")],
)
def test_python_ints_are_restored_from_every_spelling(text, why):
    schema = pd.DataFrame({"x": pd.Series([2**70], dtype=object)}).clicdata.schema()["dtype"][0]
    if why is None:
        (number,) = read_as(schema, text)
        assert type(number) is int
        assert number == Decimal(text)
    else:
        with pytest.raises(ColumnConversionError, match=why):
            read_as(schema, text)


def test_booleans_are_restored_from_every_spelling():
    true, false = ["true", "1", "1.0"], ["false", "0", "0.0", "-0.0"]
    assert read_as("bool", *true, *false).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize("text", ["yes", "01", "True", "", "2", "1.00"])
def test_other_text_is_not_a_boolean(text):
    with pytest.raises(ColumnConversionError, match="is neither true nor false"):
        read_as("bool", "true", text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", "5"), ("-5", "-5"), ("2.5", "2.5"), ("1e22", "1e+22"), ("5.0", "5.0"), ("1E+400", "Decimal('1E+400')"),
     ("0.10000000000000000000001", "Decimal('0.10000000000000000000001')")],
)  # fmt: skip
def test_mixed_numbers_are_restored_as_the_simplest_exact_type(text, number):
    schema = pd.DataFrame({"x": pd.Series([2.5, 2**70], dtype=object)}).clicdata.schema()["dtype"][0]
    assert repr(read_as(schema, text).tolist()) == f"[{number}]"


@pytest.mark.parametrize(
    ("unit", "tick", "text"),
    [
        ("s", 3723, "01:02:03"),
        ("ms", 3723000, "01:02:03"),
        ("ms", 3723004, "01:02:03.004000"),
        ("us", 3723000000, "01:02:03"),
        ("us", 3723000004, "01:02:03.000004"),
        ("ns", 3723000000000, "01:02:03"),
        ("ns", 3723000004000, "01:02:03.000004"),
        ("ns", 3723120000000, "01:02:03.120000"),
        ("ns", 3723000000004, "01:02:03.000000004"),
        ("ns", 3723100000000, "01:02:03.100000"),
    ],
)
def test_times_of_day_are_written_with_the_digits_they_need(unit, tick, text):
    arrow_type = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    assert prepared(of_ticks([tick], arrow_type)).to_pylist() == [text]
    assert read_as(pd.ArrowDtype(arrow_type), text).array.__arrow_array__().to_pylist() == [
        of_ticks([tick], arrow_type)[0].as_py()
    ]


def test_float32_is_not_rounded_twice():
    # A conversion by way of a double would return 1.0000002.
    assert read_as("float32", "1.00000017881393432617187499").tolist() == [np.float32(1.0000001)]
    numerals = infer.InferredColumn(pa.chunked_array([[str(10**39)]]), numerals=True, whole=True)
    with pytest.raises(ColumnConversionError, match="does not hold"):
        to_pandas.to_frame({"x": numerals}, 1, dtype="float32")


def test_numpy_text_dtypes_return_the_default_text_dtype():
    back = read_as(np.dtype("U5"), "00123", None, "longer than five")
    assert back.dtype == pd.Series([""]).dtype
    assert back.tolist()[::2] == ["00123", "longer than five"]
    assert read_as(np.dtype("U5"), None).dtype == back.dtype


def test_bytes_are_restored_only_from_base64():
    schema = pd.DataFrame({"x": [b"a"]}).clicdata.schema(column_types={"x": "text"})["dtype"][0]
    assert read_as(schema, '"YQ=="', None).tolist() == [b"a", None]
    with pytest.raises(ColumnConversionError, match="is not JSON of bytes"):
        read_as(schema, '"Y Q=="')


def test_sparse_text_is_restored():
    sparse = pd.Series(pd.arrays.SparseArray(np.array(["a", "", "a"], dtype=object), fill_value=""))
    schema = recast.restore_targets(pd.DataFrame({"x": sparse}).clicdata.schema())["x"]
    back = schema.series("x", pa.chunked_array([pa.array(["a", "", "a"], pa.large_string())]))
    assert (back.dtype, back.tolist()) == (sparse.dtype, sparse.tolist())


def test_python_durations_are_restored_only_from_iso_8601():
    schema = pd.DataFrame({"x": pd.Series([dt.timedelta(1)], dtype=object)}).clicdata.schema()["dtype"][0]
    assert read_as(schema, "P1DT0H0M0S", None).tolist() == [pd.Timedelta(1, "D"), None]
    for text in ("1 day", "5", "PT"):
        with pytest.raises(ColumnConversionError, match="is not a duration in ISO 8601"):
            read_as(schema, text)
