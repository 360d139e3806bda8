"""Convert frame-like objects to columns: names, the index, shapes, and objects that support Arrow."""

import datetime as dt
import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

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
        ([("a", "b"), ("a", "c")], r"\('a', 'b'\), \('a', 'c'\) have names of several levels.*join"),
        (
            pd.to_datetime(["2024-01-01", "2024-02-01"]).to_list(),
            r"Timestamp\('2024-01-01 00:00:00'\), Timestamp\('2024-02-01 00:00:00'\) are not text",
        ),
        (list(map(float, range(7))), "0.0, 1.0, 2.0, 3.0, 4.0 and 2 more are not text"),
        (["a", "", "A"], r"2 columns cannot be sent:\n- A column is named ''.*\n- Columns 'a' and 'A' differ"),
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
        assert (caught.value.column is None) == (not labels or not isinstance(labels[-1], str))


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
        with pytest.raises(cd.CellValueError if value != b"a" else cd.UnsupportedTypeError, match=r"row .{5,62}: "):
            cd.push(frame, name, index=False, session=session)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("value", [float("inf"), b"a"])
def test_an_error_names_the_position_of_a_row_whose_label_python_cannot_hold(session, name, value, levels):
    beyond = pd.Index(in_pieces(pa.array([0, 10**13], pa.timestamp("s"))))
    index = beyond if levels == 1 else pd.MultiIndex.from_arrays([beyond, [1, 2]])
    frame = pd.DataFrame({"x": [None, value]}, index=index)
    with pytest.raises(cd.FrameError, match=r"^Column 'x', row 1: "):
        cd.push(frame, name, index=False, session=session)


@pytest.mark.parametrize("keys", [[None, 1], [1, 1]], ids=["missing", "twice"])
def test_a_key_error_names_a_row_whose_label_has_no_repr(session, name, keys):
    frame = pd.DataFrame({"k": keys}, index=pd.Index([Unshown(), 10**5000], dtype=object))
    with pytest.raises(cd.FrameError, match="<Unshown>"):
        cd.push(frame, name, index=False, on="k", session=session)


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
    # Text in Python objects, as in pandas 2, is converted in parts.
    values = [column.values if column.part is None else column.part(0, 2) for column in source.columns]
    assert [each.to_pylist() for each in values if each is not None] == [["first", "one"], ["second", "two"], [1, 2]]


def test_an_index_that_cannot_be_sent_names_its_row(no_requests, sessions, name):
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", b"b"], name="key"))
    with pytest.raises(cd.UnsupportedTypeError, match="Column 'key', row b'b': b'b' "):
        frame.clicdata.push(name, index=True, session=sessions["2025.3"])


DAYS = pd.DatetimeIndex(["2013-01-01", "2013-01-02"])
CARRIES_DATA = {
    "range": (pd.RangeIndex(2), False),
    "range with a name": (pd.RangeIndex(2, name="row"), True),
    "integers": (pd.Index([9, 3]), False),
    "nullable integers": (pd.Index([9, 3], dtype="Int8"), False),
    "integers of Arrow": (pd.Index([9, 3], dtype=pd.ArrowDtype(pa.uint8())), False),
    "objects that are integers": (pd.Index([9, 3], dtype=object), False),
    "floats": (pd.Index([0.5, 1]), True),
    "booleans": (pd.Index([True, False]), True),
    "text": (pd.Index(["p", "q"]), True),
    "text of Arrow": (pd.Index(["p", "q"], dtype=pd.ArrowDtype(pa.string())), True),
    "days": (DAYS, True),
    "categories of integers": (pd.CategoricalIndex([9, 3]), True),
    "intervals": (pd.interval_range(0, 2), True),
    "levels": (pd.MultiIndex.from_tuples([(1, 2), (3, 4)]), True),
    "nothing": (pd.Index([], dtype=object), False),
    "no days": (DAYS[:0], True),
    "nothing with a name": (pd.Index([], dtype=object, name="key"), True),
    "no levels": (pd.MultiIndex.from_arrays([[], []]), True),
}


@pytest.mark.parametrize("kind", CARRIES_DATA)
def test_an_index_is_sent_by_default_if_it_carries_data(session, name, kind):
    index, carries_data = CARRIES_DATA[kind]
    frame = pd.DataFrame({"x": [1, 2][: len(index)]}, index=index)
    receipt = cd.push(frame, name, session=session)
    expected = frame.reset_index() if carries_data else frame
    assert [column.name for column in receipt.columns] == list(expected.columns)
    assert cd.read_clicdata(name, session=session).columns.tolist() == list(expected.columns)
    assert frame.clicdata.schema()["column"].tolist() == list(expected.columns)
    assert frame.clicdata.schema(index=False)["column"].tolist() == ["x"]
    named = all(level in frame.index.names for level in expected.columns[:-1])
    assert len(receipt.notes) == (0 if named else 1)


SAME = {
    "integers": (pd.Index([1, 2], name="k"), [1, 2]),
    "smaller integers": (pd.Index([1, 2], name="k"), np.array([1, 2], "int8")),
    "text and objects": (pd.Index(["a", None], name="k"), pd.array(["a", None], dtype="string")),
    "categories": (pd.CategoricalIndex(["a", "b"], name="k"), ["a", "b"]),
    "floats with a gap": (pd.Index([0.5, None], name="k"), [0.5, None]),
    "units of time": (pd.Index(DAYS.as_unit("s"), name="k"), DAYS.as_unit("us")),
    "no rows": (pd.Index([], name="k", dtype="int64"), np.array([], "float64")),
}


@pytest.mark.parametrize("index", [None, True])
@pytest.mark.parametrize("kind", SAME)
def test_a_level_that_equals_a_column_is_sent_once(session, name, kind, index):
    level, column = SAME[kind]
    frame = pd.DataFrame({"x": range(len(level)), "k": column}, index=level)
    receipt = cd.push(frame, name, index=index, session=session)
    assert [column.name for column in receipt.columns] == ["x", "k"]
    assert receipt.notes == ()


DIFFERENT = {
    "another value": (pd.Index([1, 2], name="k"), [1, 3]),
    "a gap": (pd.Index([1.5, None], name="k"), [1.5, 2]),
    "another order": (pd.Index([1, 2], name="k"), [2, 1]),
    "lists": (pd.Index([(1,), (2,)], name="k", tupleize_cols=False), [np.array([1, 2]), np.array([1, 2])]),
    "one of two levels": (pd.MultiIndex.from_arrays([[1, 2], [3, 4]], names=["k", "m"]), [2, 1]),
}


@pytest.mark.parametrize("index", [None, True])
@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_level_with_the_name_of_a_column_and_other_values_is_refused(no_requests, sessions, name, kind, index):
    level, column = DIFFERENT[kind]
    frame = pd.DataFrame({"x": [1, 2], "k": column}, index=level)
    for types in (None, {"k": "text"}):
        with pytest.raises(cd.ColumnNameError, match="a column 'k', and a level of its index has this name") as caught:
            cd.push(frame, name, index=index, column_types=types, session=sessions["2025.3"])
        assert caught.value.column == "k"
        for remedy in ("index=False", "df.drop(columns='k')", "set_names" if level.nlevels > 1 else "df.index.name ="):
            assert remedy in str(caught.value)
    assert frame.clicdata.schema()["note"].str.startswith("refused: ").tolist()[-2:] == [False, True]


UNUSABLE_NAMES = {
    "a float": (pd.Index(["a"], name=0.5), "Level 0.5 of the index cannot be a column: its name is not text"),
    "a tuple": (pd.Index(["a"], name=("k", "l")), r"Level \('k', 'l'\) of the index"),
    "no repr": (pd.Index(["a"], name=Unshown()), "Level <Unshown> of the index"),
    "blank": (pd.Index(["a"], name=" "), "its name is blank"),
    "half a character": (pd.Index(["a"], name="\ud800"), "not valid Unicode"),
    "another case": (pd.Index(["a"], name="X"), "its name differs from 'x' only in case"),
    "twice": (pd.MultiIndex.from_tuples([("a", "b")], names=["k", "k"]), "another level has the same name"),
}


@pytest.mark.parametrize("kind", UNUSABLE_NAMES)
def test_a_level_that_cannot_be_a_column_is_refused_in_a_new_table(no_requests, sessions, name, kind):
    index, reason = UNUSABLE_NAMES[kind]
    frame = pd.DataFrame({"x": [1]}, index=index)
    for choice in (None, True):
        with pytest.raises(cd.ColumnNameError, match=reason) as caught:
            cd.push(frame, name, index=choice, session=sessions["2025.3"])
        assert "index=False" in str(caught.value)
        with pytest.raises(cd.ColumnNameError, match=reason):
            frame.clicdata.schema(index=choice)


def test_an_error_of_a_level_says_how_to_make_it_a_column(no_requests, sessions, name):
    frame = pd.DataFrame({"x": [1, 2], "y": [1, b"b"]}, index=pd.Index(["All", 7], name="k"))
    why = r"Column 'k', row 7: 7 .*'k' is a level of the index"
    errors = []
    for use in (cd.push, cd.append, cd.push):
        with pytest.raises(cd.UnsupportedTypeError, match=why) as caught:
            use(frame.assign(z=[1, float("inf")]), name, index=True, session=sessions["2025.3"])
        errors.append(str(caught.value))
        assert errors[-1].count("df = df.reset_index()") == 1
        starts = ["3 columns cannot be sent:", "- Column 'k'", "- Column 'y'", "- Column 'z', row 7: inf"]
        assert [line[: len(start)] for line, start in zip(errors[-1].split("\n"), starts, strict=True)] == starts
    assert errors == errors[:1] * 3
    assert "df = df.reset_index()" in frame.clicdata.schema()["note"][0]


def test_an_error_describes_all_names_of_the_index_and_the_columns(no_requests, sessions, name):
    levels = pd.MultiIndex.from_tuples([(1, 2, 3)], names=[0.5, " ", "X"])
    frame = pd.DataFrame([[1, 2]], columns=["x", ""], index=levels)
    by_level = ["- Level 0.5 of the index", "- Level ' ' of the index", "- Level 'X' of the index"]

    def lines(columns, index):
        with pytest.raises(cd.ColumnNameError) as caught:
            cd.push(frame[columns], name, index=index, session=sessions["2025.3"])
        return [line.partition(" cannot be a column")[0].partition(";")[0] for line in str(caught.value).split("\n")]

    assert lines(["x", ""], True) == ["4 columns cannot be sent:", *by_level, "- A column is named ''"]
    assert lines(["x"], None) == ["3 columns cannot be sent:", *by_level]
    with pytest.raises(cd.ColumnNameError, match=r"^3 columns cannot be sent:\n"):
        frame[["x"]].clicdata.schema()


def test_an_error_lists_a_name_that_occurs_three_times_once(no_requests, sessions, name):
    frame = pd.DataFrame([[1, 2, 3, 4, 5]], columns=["a", "a", "a", "", ""])
    for _ in range(2):
        with pytest.raises(
            cd.ColumnNameError, match=r"^2 columns cannot be sent:\n- Column 'a'.*\n- A column"
        ) as caught:
            cd.push(frame, name, session=sessions["2025.3"])
        assert str(caught.value).count("\n") == 2


@pytest.mark.parametrize("index", [0, "yes", 1.0, []])
def test_an_index_option_that_is_no_choice_is_refused(no_requests, sessions, name, index):
    with pytest.raises(TypeError, match="index= must be True, False or None, not"):
        cd.push(pd.DataFrame({"x": [1]}), name, index=index, session=sessions["2025.3"])


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


class Copied:
    """A value in the attrs of a frame that counts its copies."""

    copies = 0

    def __deepcopy__(self, memo):
        Copied.copies += 1
        return self


def test_the_attrs_of_a_frame_are_not_copied(session, name):
    frame = pd.DataFrame({"n": [1, 2], "t": ["a", "b"], "c": pd.Categorical(["x", None])})
    frame.attrs = {"about": Copied()}
    Copied.copies = 0
    frame.clicdata.push(name, index=True, session=session)
    frame.clicdata.append(name, index=True, resume=False, session=session)
    frame.clicdata.schema(index=True)
    frame.clicdata.delete_rows(name, on="n", session=session)
    assert Copied.copies == 0


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


class _Collection:
    """A class of another package, such as Dask, whose rows are not in memory."""

    def compute(self):
        raise AssertionError


_Collection.__module__ = "dask.dataframe.core"


@pytest.mark.parametrize(
    ("thing", "what", "code"),
    [
        (_Collection(), "_Collection of dask", "df.compute()"),
        (pd.Series([1]), "Series of pandas", "series.to_frame()"),
    ],
    ids=["dask", "pandas"],
)
def test_an_object_of_another_package_is_refused_with_the_code_that_converts_it(
    no_requests, sessions, name, thing, what, code
):
    if hasattr(thing, "__arrow_c_stream__"):
        pytest.skip("this version of the package sends it as a stream")
    with pytest.raises(TypeError, match=re.escape(f"Cannot send a {what}: ")) as caught:
        cd.push(thing, name, session=sessions["2025.3"])
    assert str(caught.value).endswith(f"Convert it first: {code}.")


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="this version of polars has no Int128")
def test_a_type_that_pyarrow_does_not_read_is_refused_with_its_column(no_requests, sessions, name):
    frame = pl.DataFrame({"a": [1], "b": pl.Series([1], dtype=pl.Int128)})
    with pytest.raises(
        cd.UnsupportedTypeError, match=r"type that pyarrow [0-9.]+ does not read: 'b' \(Int128\)\. Conv"
    ):
        cd.push(frame, name, session=sessions["2025.3"])


def test_an_error_gives_the_position_of_a_row_whose_label_repeats(no_requests, sessions, name):
    def message(frame, **options):
        with pytest.raises(cd.FrameError) as caught:
            cd.push(frame, name, session=sessions["2025.3"], **options)
        assert caught.value.row == 5
        return str(caught.value)

    repeated: dict[str, Any] = {"index": [5, 6, 5]}
    assert "row 5 (position 2): inf" in message(pd.DataFrame({"n": [1, 2, np.inf]}, **repeated))
    assert "row 5 (position 2): 'a'" in message(pd.DataFrame({"n": [1, 2, "a"]}, **repeated))
    keys = message(pd.DataFrame({"n": [1, 2, 1]}, **repeated), on="n")
    assert "Rows 5 (position 0) and 5 (position 2) have the same keys" in keys
    assert "row 5 (position 2): the key" in message(pd.DataFrame({"n": [1, 2, None]}, **repeated), on="n")

    error = message(pd.DataFrame({"d": np.array(["2024-01-01", "2024-01-01", "10000-01-01"], "M8[s]")}, **repeated))
    # The code of the message changes this row only.
    assert "df.iloc[2, df.columns.get_loc('d')] = None" in error


REFUSED: dict[str, tuple[Any, str]] = {
    "a series": (pd.Series([1]), "series.to_frame()"),
    "a series of dicts": (pd.Series([{"a": 1}]), "series.to_frame()"),
    "a dict": ({"a": [1]}, "pd.DataFrame(data)"),
    "a dict of frames": ({"a": TABLE}, "data['a'], or data.values()"),
    "None": (None, "pass a pandas DataFrame"),
    "a number": (7, "pass a pandas DataFrame"),
    "an array": (np.zeros((1, 1)), "pd.DataFrame(data, columns=['…'])"),
    "text": ("df", "pd.read_csv('df')"),
    "a path": (Path("data/flights.parquet"), "pd.read_parquet('data/flights.parquet')"),
    "bytes": (b"a,b", "pd.read_csv(io.BytesIO(data))"),
    "a file": (io.StringIO("a"), "pd.read_csv(file)"),
    "numbers": ([1, 2], "Piece 1: Cannot send an int: pass a pandas DataFrame"),
    "paths": (["a.csv"], "Piece 1: Cannot send a str: pass the rows"),
    "tuples": ([(1, 2)], "Piece 1: Cannot send a tuple: it has no column names"),
    "a frame and text": ([TABLE, "a"], "Piece 2: Cannot send a str"),
    "a dict and a number": ([{"a": 1}, 2], "Row 1 is a int, and the first row is a dict"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_objects_are_refused(no_requests, sessions, name, case):
    thing, remedy = REFUSED[case]
    with pytest.raises(TypeError, match=re.escape(remedy)):
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
        list(source.stream)


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
    piece = next(iter(source.stream)).source
    assert plan.prepare_piece(piece, plans, varies=False)["x"].to_pylist() == [7, 7, None]


def test_an_error_in_a_stream_names_the_row_in_the_stream():
    source = ingest.as_source(pa.table({"x": [1.0, 2.0, 3.0, np.inf]}).to_reader(max_chunksize=2))
    assert source.stream is not None
    plans, batches = plan.plan_columns(source), [piece.source for piece in source.stream]
    assert plan.prepare_piece(batches[0], plans, varies=False)["x"].to_pylist() == [1, 2]
    with pytest.raises(CellValueError, match="row 3: inf"):
        plan.prepare_piece(batches[1], plans, varies=False)


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
    source = ingest.as_source(pd.DataFrame({"y": [1, 2]}, index=pd.Index(frame["x"].array)), index=None)
    assert [column.name for column in source.columns] == ["index", "y"]
