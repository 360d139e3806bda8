"""The index of a frame: which of its levels become columns of a new table, and which ones an existing table gets."""

import io
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = [pytest.mark.sampled(1), pytest.mark.filterwarnings("error")]

FLIGHTS = pd.DataFrame(
    {
        "carrier": ["UA", "B6", "UA", "DL", "B6"],
        "origin": ["EWR", "JFK", "LGA", "LGA", "JFK"],
        "day": pd.to_datetime(["2013-01-01", "2013-01-01", "2013-01-02", "2013-01-03", "2013-01-03"]),
        "delay": [2, 4, -3, 8, 1],
    }
)
UNNAMED = "The index has no name and is sent as column 'index'. To name it: df.index.name = '…'."
UNNAMED_LEVELS = (
    "Levels of the index have no name and are sent as 'level_0', 'level_1'. To name all levels: df.index.names = ['…',"
    " '…']."
)
LEAVE_OUT = " To leave the index out: index=False."
STEPS = {
    "groupby": (FLIGHTS.groupby("carrier")[["delay"]].sum(), ["carrier", "delay"], None),
    "groupby of two keys": (
        FLIGHTS.groupby(["carrier", "origin"])[["delay"]].sum(), ["carrier", "origin", "delay"], None),
    "groupby of categories": (
        FLIGHTS.astype({"carrier": "category"}).groupby("carrier", observed=True)[["delay"]].max(),
        ["carrier", "delay"],
        None,
    ),
    "pivot_table": (
        FLIGHTS.pivot_table(index="carrier", columns="origin", values="delay"),
        ["carrier", "EWR", "JFK", "LGA"],
        None,
    ),
    "value_counts": (FLIGHTS["carrier"].value_counts().to_frame(), ["carrier", "count"], None),
    "value_counts of two columns": (
        FLIGHTS[["carrier", "origin"]].value_counts().to_frame(),
        ["carrier", "origin", "count"],
        None,
    ),
    "describe": (FLIGHTS[["delay"]].describe(), ["index", "delay"], UNNAMED),
    "resample": (FLIGHTS.set_index("day")[["delay"]].resample("D").sum(), ["day", "delay"], None),
    "unnamed days": (
        FLIGHTS.set_index("day")[["delay"]].resample("D").sum().rename_axis(None), ["index", "delay"], UNNAMED),
    "a filter": (FLIGHTS[FLIGHTS["delay"] > 2], ["carrier", "origin", "day", "delay"], None),
    "a sort": (FLIGHTS.sort_values("delay"), ["carrier", "origin", "day", "delay"], None),
    "unnamed levels": (
        FLIGHTS[["delay"]].set_axis(pd.MultiIndex.from_frame(FLIGHTS[["carrier", "origin"]], names=[None, None])),
        ["level_0", "level_1", "delay"],
        UNNAMED_LEVELS,
    ),
    "transposed": (FLIGHTS[["delay"]].T.rename(columns=str), ["index", "0", "1", "2", "3", "4"], UNNAMED),
    "set_index that keeps the column": (
        FLIGHTS.set_index("delay", drop=False), ["carrier", "origin", "day", "delay"], None),
    "an index alone": (FLIGHTS.set_index("carrier")[[]], ["carrier"], None),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_new_table_keeps_the_keys_of_a_frame(session, name, step):
    frame, columns, note = STEPS[step]
    expected = () if note is None else (note + LEAVE_OUT,)
    dry = frame.clicdata.push(name, dry_run=True, session=session)
    receipt = frame.clicdata.push(name, verify=True, session=session)
    for each in (dry, receipt):
        assert [column.name for column in each.columns] == columns
        assert each.notes == expected
    schema = frame.clicdata.schema()
    assert schema["column"].tolist() == columns
    flat = cd.read_clicdata(name, schema=schema, session=session)
    sent = frame.reset_index() if len(columns) > frame.shape[1] else frame.reset_index(drop=True)
    pd.testing.assert_frame_equal(flat, sent.rename_axis(columns=None), check_freq=False)
    again = frame.clicdata.append(name, resume=False, session=session)
    assert again.sent == len(frame)
    assert again.notes == ()


def test_a_frame_that_was_read_with_index_col_is_pushed_back(session, name):
    FLIGHTS.clicdata.push(name, session=session)
    read = cd.read_clicdata(name, index_col=["carrier", "origin"], session=session)
    read.clicdata.push(name, if_exists="replace", session=session)
    read.clicdata.push(f"{name} copy", session=session)
    for table in (name, f"{name} copy"):
        pd.testing.assert_frame_equal(cd.read_clicdata(table, index_col=["carrier", "origin"], session=session), read)


def test_column_types_may_name_a_level(session, name):
    frame = FLIGHTS.groupby("carrier")[["delay"]].sum()
    receipt = frame.clicdata.push(name, column_types={"carrier": "dropdown"}, session=session)
    assert [str(column.data_type) for column in receipt.columns] == ["dropdown", "number"]
    assert frame.clicdata.schema({"carrier": "dropdown"})["clicdata_type"].tolist() == ["dropdown", "number"]
    with pytest.raises(cd.ColumnMismatchError, match=r"'origin' .* not in the table"):
        FLIGHTS.set_index(["carrier", "origin"])[["delay"]].clicdata.append(
            name, column_types={"origin": "text"}, session=session
        )


def test_data_that_is_not_of_pandas_has_no_index(session, name):
    arrow = pa.Table.from_pandas(FLIGHTS[["delay"]], preserve_index=False)
    for number, data in enumerate([arrow, arrow.to_reader(), pl.DataFrame({"delay": [1]})]):
        receipt = cd.push(data, f"{name} {number}", session=session)
        assert [column.name for column in receipt.columns] == ["delay"]


# existing tables

TOTALS = FLIGHTS.groupby("carrier")[["delay"]].sum()
CALLS: dict[str, Any] = {
    "append": lambda frame, table, **options: frame.clicdata.append(table, **options),
    "push to append": lambda frame, table, **options: frame.clicdata.push(table, if_exists="append", **options),
    "push to replace": lambda frame, table, **options: frame.clicdata.push(table, if_exists="replace", **options),
    "push to upsert": lambda frame, table, **options: frame.clicdata.push(
        table, if_exists="upsert", on="delay", **options
    ),
    "upsert": lambda frame, table, **options: frame.clicdata.upsert(table, on="delay", **options),
    "Data.append_data": lambda frame, table, session, **options: cd.Data(session).append_data(table, frame, **options),
}


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    """Keep the backups of replaces in a folder of the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("columns", [["delay"], ["delay", "carrier"]], ids=["without", "with"])
def test_an_existing_table_gets_only_levels_that_it_has(session, name, call, columns):
    TOTALS.reset_index()[columns].head(0).clicdata.push(name, session=session)
    receipt = CALLS[call](TOTALS, name, session=session)
    assert sorted(column.name for column in receipt.columns) == sorted(columns)
    back = cd.read_clicdata(name, session=session)[columns]
    assert sorted(map(tuple, back.to_numpy().tolist())) == sorted(
        map(tuple, TOTALS.reset_index()[columns].to_numpy().tolist())
    )
    told = call.startswith("push") and columns == ["delay"]
    assert [note for note in receipt.notes if "is not sent as 'carrier'" in note] == list(receipt.notes)
    assert len(receipt.notes) == told


@pytest.mark.parametrize("call", CALLS)
def test_a_level_that_is_asked_for_must_be_in_the_table(session, name, call):
    TOTALS.clicdata.push(name, index=False, session=session)
    with pytest.raises(cd.ColumnMismatchError) as caught:
        CALLS[call](TOTALS, name, index=True, session=session)
    assert caught.value.extra == ["carrier"]
    receipt = CALLS[call](TOTALS, name, index=True, on_new_columns="ignore", session=session)
    assert any("Left out" in note and "'carrier'" in note for note in receipt.notes)


def test_rows_are_written_by_a_key_in_the_index(session, name):
    TOTALS.clicdata.push(name, session=session)
    changed = TOTALS.assign(delay=[5, 8, 0]).rename(index={"DL": "AA"})
    assert changed.clicdata.upsert(name, on="carrier", session=session).matched == 2
    assert changed.clicdata.upsert(name, on=["carrier"], session=session).sent == 0
    TOTALS.tail(1).assign(delay=9).clicdata.update_rows(name, on="carrier", verify=True, session=session)
    TOTALS.head(1).clicdata.delete_rows(name, on="carrier", session=session)
    with pytest.raises(cd.RowsExistError):
        TOTALS.clicdata.append(name, on="carrier", session=session)
    back = cd.read_clicdata(name, index_col="carrier", session=session)["delay"].to_dict()
    assert back == {"DL": 8, "UA": 9, "AA": 8}


def test_an_update_has_a_column_to_change_besides_the_index(session, name):
    TOTALS.clicdata.push(name, index=False, session=session)
    with pytest.raises(cd.ColumnMismatchError, match="'carrier'"):
        TOTALS.clicdata.update_rows(name, on="delay", session=session)


@pytest.mark.parametrize("keys", [["a", None], ["a", "a"]], ids=["missing", "twice"])
def test_the_remedy_for_bad_keys_in_the_index_works(sessions, name, keys):
    df = pd.DataFrame({"x": [1, 2]}, index=pd.Index(keys, name="k"))
    with pytest.raises(cd.FrameError, match=r"df\.reset_index\(\)\.d") as caught:
        df.clicdata.upsert(name, on="k", session=sessions["2025.3"])
    code = "df.reset_index()." + str(caught.value).split("df.reset_index().")[1].split(")")[0] + ")"
    assert eval(code, {"df": df})["x"].tolist() == [1]


MIXED = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["All", 7], name="k"))
NAMED_BY_A_NUMBER = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", "b"], name=0.5))


@pytest.mark.parametrize("frame", [MIXED, NAMED_BY_A_NUMBER], ids=["values", "name"])
def test_a_level_that_cannot_be_sent_matters_only_where_it_is_sent(session, name, frame):
    for if_exists in ("fail", "append"):
        with pytest.raises(cd.FrameError, match="index=False"):
            cd.push(frame, name, if_exists=if_exists, session=session)
    assert name not in cd.tables(session=session)["name"].tolist()
    frame.clicdata.push(name, index=False, session=session)
    assert cd.append(frame, name, resume=False, session=session).sent == 2
    assert cd.push(frame, name, if_exists="append", on_new_columns="ignore", resume=False, session=session).sent == 2
    cd.delete_rows(frame, name, on="x", session=session)


@pytest.mark.parametrize("column_metadata", [True, False], ids=["listed", "unlisted"])
def test_a_level_that_the_table_has_must_be_sendable(serve, column_metadata):
    _, session = serve("unversioned", assume=Assumptions(column_metadata=column_metadata))
    cd.push(pd.DataFrame({"x": [1], "k": ["a"]}), "t", session=session)
    for write in (
        lambda: cd.append(MIXED, "t", session=session),
        lambda: cd.upsert(MIXED, "t", on="k", session=session),
        lambda: cd.update_rows(MIXED, "t", on="x", session=session),
        lambda: cd.delete_rows(MIXED, "t", on="k", session=session),
    ):
        with pytest.raises(cd.UnsupportedTypeError, match="Column 'k', row 7: 7"):
            write()
    assert len(cd.read_clicdata("t", session=session)) == 1


@pytest.mark.parametrize("column_metadata", [True, False], ids=["listed", "unlisted"])
@pytest.mark.parametrize("how", ["resume", "journal"])
def test_a_write_that_is_resumed_leaves_out_the_same_levels(serve, tmp_path, column_metadata, how):
    sandbox, session = serve("unversioned", assume=Assumptions(column_metadata=column_metadata))
    options: dict[str, Any] = {"journal": tmp_path / "journal"} if how == "journal" else {}
    cd.push(pd.DataFrame({"delay": [0]}), "t", session=session)
    sandbox.faults.status(400, operation="append", nth=2)
    with pytest.raises(cd.IncompleteWriteError) as caught:
        cd.append(TOTALS, "t", chunksize=1, session=session, **options)
    options = options or {"resume": caught.value.resume}
    receipt = cd.append(TOTALS, "t", chunksize=1, session=session, **options)
    assert receipt.notes == ()
    assert cd.read_clicdata("t", session=session)["delay"].tolist() == [0, *TOTALS["delay"]]
    if how == "journal":
        (note,) = cd.append(TOTALS, "t", chunksize=1, session=session, **options).notes
        assert note.startswith("Nothing was sent")


def test_the_schema_as_csv_restores_the_index(session, name):
    frame = FLIGHTS.astype({"carrier": "category"}).groupby(["carrier", "day"], observed=True)[["delay"]].sum()
    frame.clicdata.push(name, session=session)
    csv = pd.read_csv(io.StringIO(frame.clicdata.schema().to_csv(index=False)))
    for schema in (frame.clicdata.schema(), csv):
        back = cd.read_clicdata(name, schema=schema, index_col=["carrier", "day"], session=session)
        if schema is not csv:
            pd.testing.assert_frame_equal(back, frame)
        assert back.index.tolist() == frame.index.tolist()
