"""Convert frame-like objects to columns: names, the index, shapes, and objects that support Arrow."""

import datetime as dt
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from columns import arrow_frame, ready

import pandas_clicdata as cd
from pandas_clicdata.errors import (
    CellValueError,
    ColumnNameError,
    IndexNotSentWarning,
)
from pandas_clicdata.types import ingest, plan
from pandas_clicdata.types.ingest import as_source


class Unshown:
    """An object whose repr raises."""

    def __repr__(self):
        raise RuntimeError("no repr")


def in_pieces(array):
    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array.slice(0, 1), array.slice(1)]))


NA, NAT, NAN = pd.NA, pd.NaT, float("nan")


# names


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a", "a"], "'a' occurs twice"),
        (["Straße", "STRASSE"], "'Straße' and 'STRASSE' differ only in case or spaces"),
        (["a", "a "], "'a' and 'a ' differ only in case or spaces"),
        ([1, "1"], "1 and '1' differ only in case or spaces"),
        ([""], "needs a name"),
        ([" \t"], "needs a name"),
        (["\u3000"], "A column is named"),
        ([None], "None is not text"),
        ([np.nan], "nan is not text"),
        ([NA], "<NA> is not text"),
        ([dt.date(2024, 1, 1)], "is not text"),
        ([10**5000], "<int> is not text"),
        ([Unshown()], "<Unshown> is not text"),
        ([(Unshown(),)], "<tuple> has a name of several levels"),
        (["a", "A"], "'a' and 'A' differ only in case or spaces"),
        ([1.5], "1.5 is not text"),
        ([True], "True is not text"),
        ([b"a"], "b'a' is not text"),
        ([pd.Timestamp("2024-01-01")], "is not text"),
        (["a", "\ud800"], "is not valid Unicode"),
        ([("a", "b"), ("a", "c")], r"\('a', 'b'\) has a name of several levels.*join"),
        ([], "The data has no columns"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_invalid_column_names_are_refused(no_requests, sessions, name, labels, why):
    frame = pd.DataFrame([[0] * len(labels)])
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    for use in (lambda: cd.push(frame, name, session=sessions["2025.3"]), frame.clicdata.schema):
        with pytest.raises(cd.ColumnNameError, match=why) as caught:
            use()
        assert caught.value.column == (str(labels[-1]) if labels and isinstance(labels[-1], str) else None)


def test_a_column_multiindex_is_refused_with_a_remedy(no_requests, sessions, name):
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], ["b", 1]]))
    with pytest.raises(cd.ColumnNameError, match="several levels"):
        cd.push(frame, name, session=sessions["2025.3"])
    frame.columns = [" ".join(map(str, label)) for label in frame.columns]
    assert frame.clicdata.schema()["column"].tolist() == ["a b", "a 1"]


def test_similar_names_in_a_stream_are_refused():
    reader = pa.table({"a": [1], "A ": [2]}).to_reader()
    with pytest.raises(ColumnNameError, match="'a' and 'A ' differ only in case or spaces"):
        ingest.as_source(reader)


def test_unusual_names_round_trip_together(session, name):
    names = [
        "a.b",
        "q\"u'o",
        "[c]",
        "back\\slash",
        "é 😀\u2028",
        "new\nline",
        "x" * 255,
        "{}",
        "0",
        "null",
        "$.a",
        "%s",
    ]
    frame = pd.DataFrame([range(len(names))], columns=names)
    cd.push(frame, name, session=session)
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), frame, check_column_type=False)


def test_integer_names_become_text(session, name):
    frame = pd.DataFrame([[1, 2]], columns=[0, np.int64(7)])
    cd.push(frame, name, session=session)
    assert list(cd.read_clicdata(name, session=session).columns) == ["0", "7"]


@pytest.mark.parametrize(
    "label",
    ["a" * 255, "😀" * 255, ".", "a.b", "'", '"', "`", "[a]", "{a}", "(a)", " a", "a ", "\ta", "a\nb", "a\x00b",
     "\\", "é", "e\u0301", "😀", "א", "ß", "1", "-1", "1.5", "null", "None", "true", "id", "rec_id", "index",
     "value", "column", "data", "$a", "%41", "a/b", "a?b=c&d", "SELECT", "--", 0, -7, 2**70, np.int64(3), np.str_("s")],
    ids=lambda label: repr(label)[:20],
)  # fmt: skip
def test_each_unusual_name_round_trips(session, name, label):
    frame = pd.DataFrame([[1], [None]], columns=pd.Index([label], dtype=object), dtype="Int64")
    receipt = cd.push(frame, name, session=session)
    assert receipt.rec_id is not None
    back = cd.read_clicdata(receipt.rec_id, session=session)
    assert list(back.columns) == [str(label)]
    assert back.iloc[:, 0].tolist() == [1, NA]


def test_a_name_that_the_service_refuses_creates_no_table(session, one_sandbox, name):
    with pytest.raises(cd.ApiError, match="The name of column 1 has more than 255 characters"):
        cd.push(pd.DataFrame({"a" * 256: [1]}), name, session=session)
    assert name not in one_sandbox.ledger.tables()


# row labels in errors


@pytest.mark.parametrize("label", [Unshown(), 10**5000, "r" * 999], ids=["Unshown", "long int", "long text"])
def test_an_error_names_a_row_whose_label_has_no_short_repr(session, name, label):
    for value in (float("inf"), b"a", pd.Timestamp(1)):
        frame = pd.DataFrame({"x": [value]}, index=pd.Index([label], dtype=object))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cd.IndexNotSentWarning)
            with pytest.raises(cd.CellValueError if value != b"a" else cd.UnsupportedTypeError, match=r"row .{5,62}: "):
                cd.push(frame, name, session=session)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("value", [float("inf"), b"a"])
def test_an_error_names_the_position_of_a_row_whose_label_python_cannot_hold(session, name, value, levels):
    beyond = pd.Index(in_pieces(pa.array([0, 10**13], pa.timestamp("s"))))
    index = beyond if levels == 1 else pd.MultiIndex.from_arrays([beyond, [1, 2]])
    frame = pd.DataFrame({"x": [None, value]}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        with pytest.raises(cd.FrameError, match=r"^Column 'x', row 1: "):
            cd.push(frame, name, session=session)


@pytest.mark.parametrize("keys", [[None, 1], [1, 1]], ids=["missing", "twice"])
def test_a_key_error_names_a_row_whose_label_has_no_repr(session, name, keys):
    frame = pd.DataFrame({"k": keys}, index=pd.Index([Unshown(), 10**5000], dtype=object))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cd.IndexNotSentWarning)
        with pytest.raises(cd.FrameError, match="<Unshown>"):
            cd.push(frame, name, on="k", session=session)


# the index


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (pd.Index([3, 4]), ["index"]),
        (pd.Index(["p", "q"], name="key"), ["key"]),
        (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)]), ["level_0", "level_1"]),
        (pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["key", None]), ["key", "level_1"]),
        (pd.DatetimeIndex(["2024-01-01", "2024-01-02"], name="day"), ["day"]),
        (pd.CategoricalIndex(["p", "q"], name="key"), ["key"]),
    ],
    ids=repr,
)
def test_the_index_is_sent_as_reset_index_names_it(session, name, index, names):
    frame = pd.DataFrame({"x": [0.5, None]}, index=index)
    frame.clicdata.push(name, index=True, session=session)
    back = cd.read_clicdata(name, index_col=names, session=session)
    assert list(back.index.names) == names
    assert back.index.tolist() == index.tolist()
    assert list(frame.reset_index().columns) == [*names, "x"]
    assert frame.clicdata.schema(index=True)["column"].tolist() == [*names, "x"]


def test_an_unnamed_index_beside_a_column_named_index(session, name):
    frame = pd.DataFrame({"index": [1]}, index=[7])
    frame.clicdata.push(name, index=True, session=session)
    expected = frame.reset_index()
    pd.testing.assert_frame_equal(cd.read_clicdata(name, session=session), expected, check_column_type=False)


@pytest.mark.parametrize("names", [[1, 0], [1, None], [0, 1]])
def test_an_index_level_named_by_the_number_of_another_keeps_its_values(names):
    index = pd.MultiIndex.from_arrays([["first", "one"], ["second", "two"]], names=names)
    source = as_source(pd.DataFrame({"n": [1, 2]}, index=index), index=True)
    values = [column.values.to_pylist() for column in source.columns if column.values is not None]
    assert values == [["first", "one"], ["second", "two"], [1, 2]]


def test_an_index_that_cannot_be_sent_names_its_row(no_requests, sessions, name):
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", b"b"], name="key"))
    with pytest.raises(cd.UnsupportedTypeError, match="Column 'key', row b'b': b'b' "):
        frame.clicdata.push(name, index=True, session=sessions["2025.3"])


@pytest.mark.parametrize(
    ("index", "warning"),
    [
        (pd.RangeIndex(1), None),
        (pd.Index([9]), None),
        (pd.Index(["p"]), "The index (of"),
        (pd.Index([1], name="key"), "The index ('key') is not sent. Send it as columns with index=True"),
        (pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]), "The index ('a', 'b')"),
    ],
    ids=repr,
)
def test_a_warning_names_an_index_that_is_not_sent(session, name, index, warning):
    frame = pd.DataFrame({"x": [1]}, index=index)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame.clicdata.push(name, session=session)
        frame.clicdata.append(name, session=session)
        frame.clicdata.delete_rows(name, on="x", session=session)
    assert [each.filename for each in caught] == [__file__] * (0 if warning is None else 2)
    assert all(issubclass(w.category, cd.IndexNotSentWarning) and warning in str(w.message) for w in caught)


def test_a_warning_names_an_index_whose_name_has_no_repr(session, name):
    frame = pd.DataFrame({"x": [1]}, index=pd.Index([7], name=Unshown()))
    with pytest.warns(cd.IndexNotSentWarning, match="<Unshown>"):
        cd.push(frame, name, session=session)


@pytest.mark.parametrize(
    ("index", "warning"),
    [
        (pd.Index([], dtype=object), None),
        (pd.MultiIndex.from_arrays([[], []]), "The index (of object)"),
        (pd.Index([], name="key", dtype=object), "The index ('key')"),
    ],
    ids=["plain", "levels", "named"],
)
def test_an_empty_index_warns_only_if_it_has_a_name_or_levels(index, warning):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ingest.warn_of_index(pd.DataFrame({"x": []}, index=index))
    assert [str(each.message).startswith(warning or "?") for each in caught] == [True] * (warning is not None)


# shapes


def test_data_without_columns_is_refused(session, one_sandbox, name):
    before = len(one_sandbox.requests)
    for nothing in (pd.DataFrame(), pd.DataFrame(index=range(3)), pa.table({})):
        with pytest.raises(cd.ColumnNameError, match="The data has no columns"):
            cd.push(nothing, name, session=session)
    assert len(one_sandbox.requests) == before


@pytest.mark.parametrize(
    "dtype", ["int64", "float64", "bool", "Int64", "object", "datetime64[ns]", "category", "string"]
)
def test_an_empty_frame_creates_a_table_of_its_types(session, one_sandbox, name, dtype):
    frame = pd.DataFrame({"x": pd.Series([], dtype=dtype)})
    receipt = frame.clicdata.push(name, session=session)
    assert (receipt.rows, receipt.sent, receipt.batches) == (0, 0, 0)
    back = cd.read_clicdata(name, session=session)
    assert back.shape == (0, 1)
    full = {"int64": "float64", "Int64": "float64", "datetime64[ns]": "datetime64[us]"}.get(dtype, dtype)
    text = str(pd.Series([""]).dtype)
    assert str(back["x"].dtype) == {"object": text, "category": text, "string": text}.get(full, full)


def test_a_wide_frame(session, one_sandbox, name):
    frame = pd.DataFrame({f"c{n}": [n, None] if n % 2 else [f"t{n}", ""] for n in range(500)})
    cd.push(frame, name, session=session)
    back = cd.read_clicdata(name, session=session)
    assert list(back.columns) == list(frame.columns)
    assert (str(back["c3"].dtype), back["c3"][0]) == ("float64", 3)
    pd.testing.assert_frame_equal(back.astype(object).fillna(""), frame.astype(object).fillna(""))


def test_a_column_of_nulls(session, one_sandbox, name):
    receipt = cd.push(pd.DataFrame({"x": [None] * 3}), name, session=session)
    assert one_sandbox.ledger.rows(receipt.rec_id) == [{"x": None}] * 3
    assert cd.read_clicdata(name, session=session)["x"].isna().tolist() == [True] * 3


# objects that support Arrow


PIECES = pa.chunked_array([[1, None], [], [3]], pa.int32())


LETTERS = pa.chunked_array([["a", "b"], [], ["c"]])


TABLE = pa.table({"n": PIECES, "t": LETTERS})


SENT = [{"n": 1, "t": "a"}, {"n": None, "t": "b"}, {"n": 3, "t": "c"}]


class OnlyStreams:
    """An object that supports Arrow and has no length."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


SOURCES = {
    "table": lambda: TABLE,
    "sliced table": lambda: pa.concat_tables([TABLE, TABLE]).slice(3),
    "batch": lambda: TABLE.combine_chunks().to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "reader of dictionaries": lambda: TABLE.set_column(1, "t", LETTERS.dictionary_encode()).to_reader(),
    "reader of views": lambda: TABLE.set_column(
        1, "t", pa.chunked_array([pa.array(["a", "b"], pa.string_view()), pa.array(["c"], pa.string_view())])
    ).to_reader(max_chunksize=1),
    "stream": OnlyStreams,
    "polars": lambda: pl.DataFrame({"n": [1, None, 3], "t": ["a", "b", "c"]}),
    "polars categories": lambda: pl.DataFrame(
        {"n": [1, None, 3], "t": pl.Series(["a", "b", "c"], dtype=pl.Categorical)}
    ),
    "arrow dtypes": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
}


@pytest.mark.parametrize("source", SOURCES)
def test_objects_that_support_arrow_are_sent(session, one_sandbox, name, source):
    receipt = cd.push(SOURCES[source](), name, chunksize=2, session=session)
    assert one_sandbox.ledger.rows(receipt.rec_id) == SENT
    assert (receipt.rows, receipt.sent, receipt.batches) == (3, 3, 2)
    assert [str(planned.data_type) for planned in receipt.columns] == ["number", "text"]


def test_polars_types(session, one_sandbox, name):
    frame = pl.DataFrame(
        {
            "decimal": [Decimal("1.10"), None],
            "day": [dt.date(2024, 1, 2), None],
            "at": [dt.datetime(2024, 1, 2, 3, 4, 5, 6), None],
            "clock": [dt.time(1, 2, 3), None],
            "for": [dt.timedelta(seconds=1), None],
            "big": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
            "yes": [True, None],
            "half": pl.Series([0.1, None], dtype=pl.Float32),
            "nothing": [None, None],
        }
    )
    receipt = cd.push(frame, name, session=session)
    first = {
        "decimal": Decimal("1.10"),
        "day": "2024-01-02",
        "at": "2024-01-02 03:04:05.000006",
        "clock": "01:02:03",
        "for": "P0DT0H0M1S",
        "big": 2**64 - 1,
        "yes": True,
        "half": Decimal("0.1"),
        "nothing": None,
    }
    assert one_sandbox.ledger.rows(receipt.rec_id) == [first, dict.fromkeys(first)]


def test_an_error_in_an_arrow_table_names_the_position(no_requests, sessions, name):
    with pytest.raises(cd.UnsupportedTypeError, match=r"Column 'x' \(list<.*>\), row 1: \[1\] has no ClicData type"):
        cd.push(pa.table({"x": [None, [1]]}), name, session=sessions["2025.3"])
    with pytest.raises(cd.CellValueError, match="Column 'x', row 3: inf"):
        cd.push(pa.table({"x": pa.chunked_array([[1.0, 2.0], [3.0, float("inf")]])}), name, session=sessions["2025.3"])
    for without in (pa.table({"x": [b"a"]}).to_reader(), pa.table({"x": pa.nulls(2, pa.binary())})):
        with pytest.raises(cd.UnsupportedTypeError, match=r"^Column 'x' \(binary\) has no ClicData type") as caught:
            cd.push(without, name, session=sessions["2025.3"])
        assert (caught.value.row, caught.value.value) == (None, None)


@pytest.mark.parametrize("thing", [pd.Series([1]), [{"a": 1}], {"a": [1]}, None, np.zeros((1, 1)), "df"], ids=repr)
def test_other_objects_are_refused(no_requests, sessions, name, thing):
    with pytest.raises(TypeError, match="Cannot send a"):
        cd.push(thing, name, session=sessions["2025.3"])
    with pytest.raises(TypeError, match="has no index"):
        cd.push(TABLE, name, index=True, session=sessions["2025.3"])


def test_an_arrow_array_is_refused():
    with pytest.raises(TypeError, match="Cannot send a ChunkedArray"):
        ingest.as_source(pa.chunked_array([[{"a": 1}]]))


def test_an_error_of_a_reader_is_raised_unchanged():
    def batches():
        yield pa.record_batch({"x": [1]})
        raise LookupError("my own")

    source = ingest.as_source(pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches()))
    assert source.stream is not None
    with pytest.raises(LookupError, match="my own"):
        source.stream.read_all()


def test_a_frame_with_a_length_is_not_a_stream():
    frame = pl.DataFrame({"x": [1, 2, 3]})
    assert ingest.as_source(frame).rows == 3

    class OnlyStreams:
        __arrow_c_stream__ = frame.__arrow_c_stream__

    assert ingest.as_source(OnlyStreams()).rows is None
    with pytest.raises(TypeError, match="A Series has no columns"):
        ingest.as_source(pl.Series([1, 2]))


def test_a_stream_of_run_ends_is_decoded():
    runs = pc.run_end_encode(pa.array([7, 7, None], pa.int16()))
    source = ingest.as_source(pa.table({"x": runs}).to_reader())
    plans = plan.plan_columns(source)
    assert [source.arrow_type for source in source.columns] == [pa.int16()]
    assert source.stream is not None
    assert plan.prepare_batch(next(iter(source.stream)), plans, 0)["x"].to_pylist() == [7, 7, None]


def test_an_error_in_a_stream_names_the_row_in_the_stream():
    source = ingest.as_source(pa.table({"x": [1.0, 2.0, 3.0, np.inf]}).to_reader(max_chunksize=2))
    assert source.stream is not None
    plans, batches = plan.plan_columns(source), list(source.stream)
    assert plan.prepare_batch(batches[0], plans, 0)["x"].to_pylist() == [1, 2]
    with pytest.raises(CellValueError, match="row 3: inf"):
        plan.prepare_batch(batches[1], plans, 2)


@pytest.mark.parametrize(
    ("arrow_type", "value", "text"),
    [
        (pa.string_view(), "a", "a"),
        (pa.binary_view(), b"xyz", '"eHl6"'),
        (pa.list_view(pa.int8()), [1], "[1]"),
        (pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 3]), "[1, 2, 3]"),
    ],
)
def test_arrow_types_without_python_type_are_sent(arrow_type, value, text):
    frame = arrow_frame(pa.array([value, None], arrow_type))
    assert ready(frame, x="text") == {"x": [text, None]}
    with pytest.warns(IndexNotSentWarning, match="not sent"):
        ingest.warn_of_index(pd.DataFrame({"y": [1, 2]}, index=pd.Index(frame["x"].array)))
