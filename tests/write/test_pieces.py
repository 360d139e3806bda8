"""Rows that come piece by piece: iterables of frames and dicts, lazy frames, data sets and cursors."""

import datetime as dt
import io
import itertools
import subprocess
import sys
import weakref
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from batches import batch_ranges
from interrupts import press_ctrl_c

import pandas_clicdata as cd
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Payload

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

BATCH = 4
ROWS = [{"n": n, "t": f"text {n}"} for n in range(10)]
FRAME = pd.DataFrame(ROWS)
ARROW = pa.Table.from_pandas(FRAME, preserve_index=False)


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def csv(text, rows=2, **options):
    return pd.read_csv(io.StringIO(text.replace("\n    ", "\n")), chunksize=rows, **options)


def pieces(frame=FRAME, rows=3):
    """Yield a frame piece by piece."""
    for start in range(0, len(frame), rows):
        yield frame.iloc[start : start + rows]


class InArray:
    """An object with one Arrow array of structs, and nothing else."""

    def __arrow_c_array__(self, requested_schema=None):
        return ARROW.combine_chunks().to_batches()[0].__arrow_c_array__(requested_schema)


class Cursor:
    """A cursor of ADBC, whose rows are also an iterable of tuples."""

    def fetch_record_batch(self):
        return ARROW.to_reader(max_chunksize=3)

    def __iter__(self):
        raise AssertionError


class DataSet:
    """A data set of Hugging Face."""

    def with_format(self, name):
        assert name == "arrow"
        return self

    def iter(self, batch_size):
        return (ARROW.slice(at, 3) for at in range(0, len(ROWS), 3))

    def __len__(self):
        return len(ROWS)

    def to_pandas(self):
        raise AssertionError


DataSet.__module__ = "datasets.arrow_dataset"


class Frames:
    """A class whose objects can be iterated repeatedly."""

    def __iter__(self):
        return pieces()


SOURCES = {
    "generator": pieces,
    "chunks of a CSV": lambda: csv(FRAME.to_csv(index=False), 3),
    "chunks of a CSV with an index": lambda: csv(FRAME.to_csv(index=False), 3, index_col="n"),
    "list of frames": lambda: [*pieces()],
    "values of a dict": lambda: dict(enumerate(pieces())).values(),
    "map": lambda: map(pd.DataFrame.copy, pieces()),
    "iterable": Frames,
    "frames of several packages": lambda: iter([FRAME[:2], pl.DataFrame(ROWS[2:4]), ARROW.slice(4, 2), ROWS[6:8]]),
    "list of dicts": lambda: ROWS,
    "tuple of dicts": lambda: tuple(ROWS),
    "generator of dicts": lambda: iter(ROWS),
    "pages of dicts": lambda: (ROWS[at : at + 3] for at in (0, 3, 6, 9, 12)),
    "lazy frame": lambda: pl.LazyFrame(ROWS),
    "lazy frames": lambda: [pl.LazyFrame(ROWS[:5]), pl.LazyFrame(ROWS[5:])],
    "data set of pyarrow": lambda: ds.dataset(ARROW),
    "scanner": lambda: ds.dataset(ARROW).scanner(),
    "readers": lambda: iter([ARROW.slice(0, 5).to_reader(2), ARROW.slice(5).to_reader()]),
    "array": InArray,
    "cursor": Cursor,
    "data set of Hugging Face": DataSet,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("workers", [1, 3])
def test_rows_are_sent_from(sessions, one_sandbox, name, source, workers):
    receipt = cd.push(SOURCES[source](), name, chunksize=BATCH, workers=workers, session=sessions["2025.3"])
    expected = ROWS[:8] if source == "frames of several packages" else ROWS
    assert sorted(one_sandbox.ledger.rows(receipt.rec_id), key=lambda row: row["n"]) == expected
    assert (receipt.rows, receipt.sent, receipt.status) == (len(expected), len(expected), "confirmed")
    assert {column.name: str(column.data_type) for column in receipt.columns} == {"n": "number", "t": "text"}
    assert receipt.batches == len(batch_ranges(len(expected), BATCH, "2025.3", workers))


def test_a_read_in_chunks_is_pushed(session, name):
    FRAME.clicdata.push(name, session=session)
    chunks = cd.read_clicdata(name, chunksize=3, session=session)
    receipt = cd.push(chunks, f"{name} copy", session=session)
    assert receipt.sent == len(ROWS)
    assert cd.read_clicdata(f"{name} copy", session=session).equals(cd.read_clicdata(name, session=session))


# Pieces, column_types=, and the values that the table has afterwards.
VARYING = {
    "whole numbers with nulls later": (lambda: csv("x\n1\n2\n3\nNA\n5\n"), {}, [1, 2, 3, None, 5]),
    "fractions after whole numbers": (lambda: csv("x\n1\n2\n3\n4.5\n"), {}, [1, 2, 3, 4.5]),
    "whole numbers after fractions": (lambda: csv("x\n1.5\n2\n3\n4\n"), {}, [1.5, 2.0, 3.0, 4.0]),
    "long numbers after fractions": (lambda: csv("x\n1.5\n2\n9007199254740993\n"), {}, [1.5, 2.0, 2**53 + 1]),
    "nulls after text": (lambda: csv("x\na\nb\nNA\nNA\nc\n"), {}, ["a", "b", None, None, "c"]),
    "text after nulls": (lambda: csv("x\nNA\nNA\nNA\nb\n"), {}, [None, None, None, "b"]),
    "digits as text": (lambda: csv("x\na\nb\n7\n8\n"), {"x": "text"}, ["a", "b", "7", "8"]),
    "whole numbers as text": (lambda: csv("x\n1\n2\nNA\n17\n"), {"x": "text"}, ["1", "2", None, "17"]),
    "nulls in a type on request": (
        lambda: csv("x\nNA\nNA\n2024-01-02\nNA\nNA\nNA\n"), {"x": "date"}, [None, None, "2024-01-02", None, None, None]
    ),
    "only nulls": (lambda: csv("x,y\nNA,a\nNA,b\n", 1), {"x": "checkbox"}, [None, None]),
    "widths of numbers": (
        lambda: iter([pd.DataFrame({"x": np.array([1], "int8")}), pd.DataFrame({"x": np.array([2**63], "uint64")})]),
        {}, [1, 2**63],
    ),
    "decimals": (
        lambda: [pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [Decimal("1.10")]})], {}, [1, Decimal("1.10")]
    ),
    "units of datetimes": (
        lambda: [pd.DataFrame({"x": np.array(["2024-01-02"], f"M8[{unit}]")}) for unit in ("s", "ns", "ms")],
        {}, ["2024-01-02 00:00:00"] * 3,
    ),
    "dates among datetimes": (
        lambda: [pd.DataFrame({"x": [dt.datetime(2024, 1, 2)]}), pd.DataFrame({"x": [dt.date(2024, 1, 3)]})],
        {}, ["2024-01-02 00:00:00", "2024-01-03 00:00:00"],
    ),
    "categories": (
        lambda: [pd.DataFrame({"x": pd.Categorical(["a"])}), pd.DataFrame({"x": pd.Categorical(["b"])})], {}, ["a", "b"]
    ),
    "a first piece without rows": (lambda: iter([pd.DataFrame({"x": []}), pd.DataFrame({"x": ["a"]})]), {}, ["a"]),
    "pieces without columns": (lambda: iter([pd.DataFrame(), pd.DataFrame({"x": [1]}), pd.DataFrame()]), {}, [1]),
    "another order of columns": (
        lambda: iter([pd.DataFrame({"x": [1], "y": ["a"]}), pd.DataFrame({"y": ["b"], "x": [2]})]), {}, [1, 2]
    ),
    "dicts without a column": (lambda: iter([[{"x": 2**60, "y": 1}], [{"y": 2}, {"x": 3}]]), {}, [2**60, None, 3]),
}  # fmt: skip


@pytest.mark.parametrize("case", VARYING)
@pytest.mark.parametrize("kind", ["generator", "list"])
def test_pieces_may_have_other_dtypes(sessions, one_sandbox, name, case, kind):
    make, column_types, expected = VARYING[case]
    data = make() if kind == "generator" else [*make()]
    receipt = cd.push(data, name, column_types=column_types, session=sessions["2025.3"])
    written = [row["x"] for row in one_sandbox.ledger.rows(receipt.rec_id)]
    assert written == expected
    assert [*map(type, written)] == [Decimal if isinstance(each, float) else type(each) for each in expected]


def test_numbers_are_written_alike_wherever_pieces_begin():
    for text in ("x\n1\n2\n3\nNA\n5\n6.5\n7\n8\n", "x\n1.5\n2\n3\nNA\n5\n6\n"):
        data = [Payload.from_object(csv(text, rows), Options()).in_memory() for rows in (1, 2, 3)]
        assert len({payload.hash for payload in data}) == 1
        assert data[0].checksums() == Payload.from_object(pd.read_csv(io.StringIO(text)), Options()).checksums()


# Pieces; the piece, column, row and value of the error; and words of its message.
MISFITS = {
    "text among numbers": (lambda: csv("x,y\n1,1\n2,2\n3,3\nn/a?,4\n"), (2, "x", 3, "'n/a?'"), "dtype={'x': 'str'}"),
    "digits in text": (lambda: csv("x\na\nb\n007\n8\n"), (2, "x", 2, "7"), "column_types={'x': 'text'}"),
    "a datetime among dates": (
        lambda: iter([pd.DataFrame({"x": [dt.date(2024, 1, 2)]}),
                      pd.DataFrame({"x": np.array(["2024-01-02T03:00:00"], "M8[us]")})]),
        (2, "x", 0, "datetime.datetime(2024, 1, 2, 3, 0)"), "made date of the column",
    ),
    "an infinity": (
        lambda: iter([pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [2.0, np.inf]}, index=[8, 9])]),
        (2, "x", 9, "inf"), "not a number in JSON",
    ),
    "objects of several kinds": (
        lambda: iter([pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2, "b"]})]), (2, "x", 1, "'b'"), "Piece 2: Column"
    ),
    "a new column": (
        lambda: iter([pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [None, 2], "z": [None, "b"]})]),
        (2, "z", 1, None), "first piece: new: 'z' (row 1: 'b')",
    ),
    "a missing column": (
        lambda: iter([pd.DataFrame({"x": [1], "long": [1]}), pd.DataFrame({"x": [1], "Long": [1]})]),
        (2, "Long", 0, None), "missing: 'long'; new: 'Long' (row 0: 1). Did you mean 'long'?",
    ),
    "a new column of dicts": (
        lambda: itertools.chain(({"x": n} for n in range(10_000)), [{"x": 1, "z": 2}]),
        (None, "z", 10_000, None), "first rows: new: 'z' (row 10000: 2)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_a_piece_that_does_not_fit_is_refused(sessions, one_sandbox, name, case):
    make, fields, words = MISFITS[case]
    with pytest.raises(cd.IncompleteWriteError) as caught:
        cd.push(make(), name, session=sessions["2025.3"])
    reason = caught.value.__cause__
    assert isinstance(reason, cd.FrameError)
    assert (reason.piece, reason.column, reason.row, reason.value) == fields
    assert words in str(reason)
    assert str(reason) in str(caught.value)
    sent = one_sandbox.ledger.rows(caught.value.rec_id)
    assert caught.value.confirmed == ([(0, len(sent))] if sent else [])
    # Of a list, every value is checked before the first request.
    one_sandbox.requests.clear()
    data = [*make()]
    if case != "a new column of dicts":
        with pytest.raises(type(reason)):
            cd.push(data, f"{name} of a list", session=sessions["2025.3"])
        assert len(one_sandbox.requests) == 0


def test_the_first_piece_is_checked_before_the_first_request(sessions, one_sandbox, name):
    one_sandbox.requests.clear()
    for frame, error in ((pd.DataFrame({"x": [np.inf]}), cd.CellValueError), (pd.DataFrame({"x": [b""]}), TypeError)):
        with pytest.raises(error, match="Piece 1: Column 'x', row 0"):
            cd.push(iter([frame]), name, session=sessions["2025.3"])
    assert len(one_sandbox.requests) == 0


def test_a_piece_that_is_no_frame_with_columns_is_refused(sessions, one_sandbox, name):
    one_sandbox.requests.clear()
    options = {"session": sessions["2025.3"]}
    twice = pd.DataFrame([[1, "a", "b"]], columns=["n", "t", "t"])
    with pytest.raises(cd.ColumnNameError, match="Piece 2: Column 't' occurs twice"):
        cd.push([FRAME, twice], name, **options)
    with pytest.raises(TypeError, match="Piece 2: index=True needs a DataFrame; a Table has no index"):
        cd.push([FRAME, ARROW], name, index=True, **options)
    with pytest.raises(TypeError, match="Row 2 is a int, and the first row is a dict"):
        cd.push(iter([{"n": 1}, {"n": 2}, 3]), name, **options)
    assert len(one_sandbox.requests) == 0


def closed():
    generator = pieces()
    list(generator)
    return generator


NOTHING = {
    "empty generator": (lambda: iter(()), "is empty, or was read to its end before. Create it again"),
    "generator read to its end": (closed, "The generator has no rows: it is empty, or was read to its end"),
    "empty list": (list, "The list is empty"),
    "frames without columns": (lambda: iter([pd.DataFrame()]), "No frame in the list_iterator has columns"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_nothing_is_refused(sessions, one_sandbox, name, case):
    make, words = NOTHING[case]
    one_sandbox.requests.clear()
    with pytest.raises(cd.FrameError, match=words):
        cd.append(make(), name, session=sessions["2025.3"])
    assert len(one_sandbox.requests) == 0


@pytest.mark.parametrize("make", [pieces, lambda: csv("n,t\n1,a\n"), lambda: map(pd.DataFrame.copy, pieces())])
def test_an_iterator_is_not_read_by_two_calls(sessions, name, make):
    """The second call would not get the rows that the first one has taken."""
    session, data = sessions["2025.3"], make()
    cd.push(data, name, dry_run=True, session=session)
    with pytest.raises(cd.FrameError, match=r"An earlier call has read this .* Create it again"):
        cd.push(data, name, session=session)
    cd.push(make(), name, session=session)
    frames = Frames()
    cd.push(frames, f"{name} again", dry_run=True, session=session)
    assert cd.push(frames, f"{name} again", session=session).sent == len(ROWS)


def test_a_reader_that_an_earlier_call_has_begun_is_refused(sessions, name):
    session, reader = sessions["2025.3"], ARROW.to_reader(2)
    cd.push(FRAME, name, session=session)
    with pytest.raises(cd.RowsExistError):
        # The first rows are compared with those that were sent before.
        cd.append(reader, name, session=session)
    with pytest.raises(cd.FrameError, match="An earlier call has read this RecordBatchReader"):
        cd.append(reader, name, resume=False, session=session)


@pytest.mark.parametrize("error", [LookupError("my own"), None], ids=["an error", "Ctrl-C"])
def test_a_generator_that_stops_the_write_reports_what_was_sent(sessions, one_sandbox, name, error):
    def frames():
        yield FRAME
        if error is None:
            press_ctrl_c()
            raise AssertionError
        raise error

    with pytest.raises((cd.IncompleteWriteError, KeyboardInterrupt)) as caught:
        cd.push(frames(), name, chunksize=BATCH, session=sessions["2025.3"])
    stopped = caught.value if error is not None else caught.value.__cause__
    assert isinstance(stopped, cd.IncompleteWriteError)
    if error is not None:
        assert stopped.__cause__ is error
        assert "The reason: my own." in str(stopped)
    sent = one_sandbox.ledger.rows(stopped.rec_id)
    assert sent == ROWS[: len(sent)]
    assert stopped.confirmed == ([(0, len(sent))] if sent else [])
    assert f"from row {batch_ranges(10, BATCH, '2025.3')[1][1]} on" in str(stopped)
    # The same rows, from another generator and in other pieces.
    assert cd.push(pieces(rows=4), name, resume=True, chunksize=BATCH, session=sessions["2025.3"]).sent == len(ROWS)
    assert one_sandbox.ledger.rows(stopped.rec_id) == ROWS


@pytest.mark.parametrize("rows", [2, 3])
def test_a_stopped_generator_is_resumed_by_its_rows(sessions, running, open_session, name, rows):
    session, text = open_session(running), "x,y\n1,a\n2,b\n3,c\nNA,d\n5,e\n6.5,f\n7,NA\n8,h\n"
    running.faults.lose_reply(operation="append", nth=2, after_commit=True)
    with pytest.raises(cd.AmbiguousWriteError, match=r"cd\.push\(data, .*resume=True"):
        cd.push(csv(text), name, chunksize=2, session=session)
    running.faults.clear()
    options = {"resume": True, "on_unknown": "check", "reconcile_wait": 0, "chunksize": 2, "session": session}
    with pytest.raises(cd.ResumeError, match="row"):
        cd.push(csv(text.replace("1,a", "1,other")), name, **options)
    receipt = cd.push(csv(text, rows), name, **options)
    assert [row["y"] for row in running.ledger.rows(receipt.rec_id)] == ["a", "b", "c", "d", "e", "f", None, "h"]
    running.faults.release()


def test_pieces_update_upsert_replace_and_delete(sessions, one_sandbox, name, tmp_path):
    """These compare the rows with the table, so the pieces are read into memory."""
    session = sessions["2025.3"]
    rec_id = cd.push(FRAME, name, session=session).rec_id

    def rows():
        return {row["n"]: row["t"] for row in one_sandbox.ledger.rows(rec_id)}

    cd.update_rows(pieces(FRAME.head(4).assign(t="new")), name, on="n", session=session)
    assert [rows()[n] for n in range(5)] == ["new"] * 4 + ["text 4"]
    more = [{"n": 3, "t": "upserted"}, {"n": 10, "t": "inserted"}]
    assert cd.upsert(iter(more), name, on="n", session=session).matched == 1
    assert (rows()[3], rows()[10]) == ("upserted", "inserted")
    cd.delete_rows(ARROW.slice(0, 5).to_reader(2), name, on="n", session=session)
    assert [*rows()] == [5, 6, 7, 8, 9, 10]
    cd.push(pieces(), name, if_exists="replace", backup=tmp_path, verify=True, session=session)
    assert one_sandbox.ledger.rows(rec_id) == ROWS
    with pytest.raises(cd.FrameError, match="same keys"):
        cd.upsert([FRAME, FRAME], name, on="n", session=session)


def test_a_list_of_frames_can_be_read_twice(sessions, one_sandbox, name, tmp_path):
    session = sessions["2025.3"]
    receipt = cd.push([*pieces()], name, on="n", journal=tmp_path / "a", on_unknown="check", session=session)
    assert (receipt.rows, receipt.sent) == (10, 10)
    with pytest.raises(cd.RowsExistError, match="10 rows"):
        cd.append([*pieces()], name, on="n", resume=False, session=session)
    for data in (pieces(), Frames(), Cursor()):
        with pytest.raises(TypeError, match="a list of frames"):
            cd.append(data, name, on="n", session=session)


@pytest.mark.parametrize("kind", [iter, list])
def test_the_index_of_pieces_is_sent_if_it_carries_data(sessions, one_sandbox, name, kind):
    session = sessions["2025.3"]
    frame = FRAME.set_index("t")
    receipt = cd.push(kind([frame.head(4), frame.tail(6)]), name, session=session)
    assert one_sandbox.ledger.rows(receipt.rec_id) == ROWS
    assert cd.append(kind([frame.head(4), frame.tail(6)]), name, resume=False, session=session).sent == 10
    renamed = cd.push(kind([FRAME[["n"]].set_axis(FRAME["t"].to_list())]), f"{name} index", session=session)
    assert [column.name for column in renamed.columns] == ["index", "n"]
    assert "sent as column 'index'" in renamed.notes[0]
    # Of a table without such a column, it is left out.
    cd.push(FRAME[["n"]], f"{name} n", session=session)
    assert cd.append(kind([frame.head(4), frame.tail(6)]), f"{name} n", resume=False, session=session).sent == 10


def test_pieces_are_aligned_with_a_table(session, one_sandbox, name):
    columns = {"n": "percentage", "t": "dropdown", "day": "datetime"}
    rec_id = cd.Data(session=session).create_data(name, "", columns)
    frames = [FRAME[["t", "n"]].assign(day=dt.date(2024, 1, 2), extra=1)[start : start + 5] for start in (0, 5)]
    receipt = cd.append(iter(frames), name, on_new_columns="ignore", verify=True, session=session)
    assert (receipt.status, receipt.sent) == ("verified", 10)
    assert "'extra'" in receipt.notes[0]
    assert one_sandbox.ledger.rows(rec_id)[0] == {"n": 0, "t": "text 0", "day": "2024-01-02 00:00:00"}
    with pytest.raises(cd.ColumnMismatchError, match="'extra'"):
        cd.append(iter(frames), name, session=session)
    for kind in (list, iter):
        # A column without values gets the type of the table.
        empty = kind([FRAME.assign(day=None, n=None)])
        assert cd.append(empty, name, resume=False, session=session).sent == 10
    assert one_sandbox.ledger.rows(rec_id)[-1] == {"n": None, "t": "text 9", "day": None}


def test_a_piece_is_freed_when_it_is_sent(sessions, name):
    alive: list[int] = []
    references: list[weakref.ref[pd.DataFrame]] = []

    def frames():
        for number in range(20):
            frame = pd.DataFrame({"n": np.arange(1000) + number * 1000, "t": "a" * 100})
            references.append(weakref.ref(frame))
            yield frame
            del frame
            alive.append(sum(reference() is not None for reference in references))

    assert cd.push(frames(), name, workers=2, session=sessions["2025.3"]).sent == 20_000
    assert max(alive) <= 2


# Pushes a generator of some rows, and prints the peak of its memory in MB.
PUSH = """
import sys
import numpy as np, pandas as pd
import pandas_clicdata as cd

def frames(rows):
    for start in range(0, rows, 5_000):
        numbers = np.arange(start, start + 5_000)
        yield pd.DataFrame({"n": numbers, "x": numbers * 0.5, "t": [f"text {n}" for n in numbers.tolist()]})

session = cd.Session(client_id="id", client_secret="secret", base_url=sys.argv[1], api_version="2025.3")
assert cd.push(frames(int(sys.argv[2])), "T", session=session).sent == int(sys.argv[2])
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read as on Linux")
def test_the_memory_of_a_generator_does_not_depend_on_its_rows(tmp_path):
    (tmp_path / "rows").write_text("[]\n{}\n")
    script = Path(__file__).parent.parent / "benchmarks" / "service.py"
    command = [sys.executable, script, tmp_path / "rows", "--rows", "0", "--dialect", "versioned"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        url = f"http://127.0.0.1:{service.stdout.readline().strip()}"
        few, many = (
            int(subprocess.run([sys.executable, "-c", PUSH, url, rows], capture_output=True, check=True).stdout)
            for rows in ("50000", "500000")
        )
        service.communicate()
    assert many < few + 20
