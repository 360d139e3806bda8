"""Receipts: their counts, in every operation and as a dry run; and their use as a table."""

import copy
import dataclasses
import pickle

import pandas as pd
import pytest

import pandas_clicdata as cd

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

FRAME = pd.DataFrame({"k": ["a", "b", "c", "d"], "n": [1, 2, 3, 4]})
NEW = pd.DataFrame({"k": ["a", "b", "x"], "n": [1, 20, 30]})


def delete_data(name, **options):
    return cd.Data(options.pop("session")).delete_data(name, {"k": "a"}, **options)


# The call, and the number of rows that it has inserted, updated, left alone and deleted.
CALLS = {
    "append": (lambda name, **o: NEW.clicdata.append(name, **o), (3, 0, 0, 0)),
    "push": (lambda name, **o: NEW.clicdata.push(name, if_exists="append", **o), (3, 0, 0, 0)),
    "upsert": (lambda name, **o: NEW.clicdata.upsert(name, on="k", **o), (1, 1, 1, 0)),
    "replace": (lambda name, **o: NEW.clicdata.push(name, if_exists="replace", **o), (3, 0, 0, 4)),
    "delete with a limit": (lambda name, **o: NEW.clicdata.delete_rows(name, on="k", max_rows=9, **o), (0, 0, 0, 2)),
    "delete by filters": (lambda name, **o: delete_data(name, max_rows=9, **o), (0, 0, 0, 1)),
    "delete one by filters": (lambda name, **o: delete_data(name, multiple_rows="first", **o), (0, 0, 0, None)),
    "update": (lambda name, **o: NEW.clicdata.update_rows(name, on="k", **o), (0, None, None, 0)),
    "delete": (lambda name, **o: NEW.clicdata.delete_rows(name, on="k", **o), (0, 0, 0, None)),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def counts(receipt):
    return receipt.inserted, receipt.updated, receipt.unchanged, receipt.deleted


@pytest.mark.parametrize(("call", "expected"), CALLS.values(), ids=list(CALLS))
def test_a_receipt_counts_the_rows_by_what_was_done(one_sandbox, session, name, call, expected):
    FRAME.clicdata.push(name, session=session)
    dry = call(name, dry_run=True, session=session)
    # A dry run reads the table for every delete.
    assert [b for a, b in zip(expected, counts(dry), strict=True) if a is not None] == [
        each for each in expected if each is not None
    ]
    assert one_sandbox.ledger.count(name) == 4
    receipt = call(name, session=session)
    assert counts(receipt) == expected
    if receipt.deleted is not None:
        assert one_sandbox.ledger.count(name) == 4 + receipt.inserted - receipt.deleted


def test_a_restore_counts_the_rows_that_were_missing(session, name):
    FRAME.clicdata.push(name, session=session)
    backup = NEW.clicdata.push(name, if_exists="replace", session=session).backup
    assert counts(cd.restore(backup, name, session=session)) == (4, 0, 0, 3)
    FRAME.head(1).clicdata.delete_rows(name, on="k", session=session)
    assert counts(cd.restore(backup, name, session=session)) == (1, 0, 3, 0)


def test_updates_that_were_compared_are_counted(serve, name):
    # An account of which nothing is known reads the table before an update by text.
    _, session = serve(session={"service_profile": None})
    FRAME.clicdata.push(name, session=session)
    assert counts(NEW.clicdata.update_rows(name, on="k", session=session)) == (0, 1, 1, 0)
    assert counts(NEW.clicdata.update_rows(name, on="k", session=session)) == (0, 0, 2, 0)


def test_a_write_that_was_complete_has_the_counts_of_that_write(session, name, tmp_path):
    first = FRAME.clicdata.push(name, journal=tmp_path / "log", session=session)
    again = FRAME.clicdata.push(name, journal=tmp_path / "log", session=session)
    assert counts(first) == counts(again) == (4, 0, 0, 0)


# a receipt as a table

TAKES_A_TABLE = {
    "read": lambda table, **o: len(cd.read_clicdata(table, **o)),
    "read in batches": lambda table, **o: cd.read_clicdata_batches(table, **o).read_all().num_rows,
    "append": lambda table, **o: NEW.clicdata.append(table, **o).rec_id,
    "update_rows": lambda table, **o: FRAME.clicdata.update_rows(table, on="k", **o).rec_id,
    "upsert": lambda table, **o: FRAME.clicdata.upsert(table, on="k", **o).rec_id,
    "delete_rows": lambda table, **o: FRAME.clicdata.delete_rows(table, on="k", **o).rec_id,
    "versions": lambda table, **o: cd.versions(table, **o)["data_rec_id"].tolist(),
    "refresh": lambda table, **o: cd.refresh(table, "reload", **o),
    "Data.get_data": lambda table, session: len(cd.Data(session).get_data(table)),
    "Data.get_data as dicts": lambda table, session: cd.Data(session).get_data(table, output="dict"),
    "Data.get_data_history": lambda table, session: len(cd.Data(session).get_data_history(table)),
    "Data.append_data": lambda table, session: cd.Data(session).append_data(table, NEW).rec_id,
    "Data.update_data": lambda table, session: cd.Data(session).update_data(table, {"k": "a"}, {"n": 7}).rec_id,
    "Data.delete_data": lambda table, session: cd.Data(session).delete_data(table, {"k": "a"}).rec_id,
    "Data.rebuild_data": lambda table, session: cd.Data(session).rebuild_data(table),
}


@pytest.mark.parametrize("call", TAKES_A_TABLE.values(), ids=list(TAKES_A_TABLE))
def test_a_receipt_is_a_table(sessions, name, call):
    session = sessions["2025.3"]
    receipts = [FRAME.clicdata.push(f"{name} {number}", session=session) for number in (1, 2)]
    by_receipt, by_rec_id = call(receipts[0], session=session), call(receipts[1].rec_id, session=session)
    expected = receipts[0].rec_id if by_rec_id == receipts[1].rec_id else by_rec_id
    assert by_receipt in (expected, [receipts[0].rec_id] * 2)


def test_a_receipt_is_a_table_to_restore_into(session, name):
    receipt = FRAME.clicdata.push(name, session=session)
    backup = NEW.clicdata.push(name, if_exists="replace", session=session).backup
    assert cd.restore(backup, receipt).rec_id == receipt.rec_id
    assert receipt.read()["n"].tolist() == FRAME["n"].tolist()


def test_a_receipt_states_the_session_unless_one_is_passed(serve, name):
    (_, ours), (other, theirs) = serve(), serve()
    receipt = FRAME.clicdata.push(name, session=ours)
    NEW.clicdata.push("another table", session=theirs)
    cd.SessionManager.bind_session(theirs)
    assert receipt.read(columns=["n"], limit=2)["n"].tolist() == [1, 2]
    assert [len(chunk) for chunk in receipt.read(chunksize=3)] == [3, 1]
    assert NEW.clicdata.append(receipt).inserted == 3
    assert len(receipt.read()) == 7
    assert len(cd.versions(receipt)) == 3
    assert len(cd.Data().get_data(receipt)) == len(cd.Data().get_data(receipt, output="dict")) == 7
    assert cd.Data().append_data(receipt, FRAME.tail(1).assign(k="y"), journal=None).inserted == 1
    assert cd.Data().delete_data(receipt, {"k": "y"}, max_rows=1).deleted == 1
    assert len(cd.read_clicdata(receipt, session=theirs)) == len(receipt.read(session=theirs)) == 3
    assert other.ledger.count("another table") == 3


@pytest.mark.parametrize("change", [copy.copy, copy.deepcopy])
def test_a_copy_knows_the_session_and_a_pickle_does_not(serve, name, change):
    sandbox, session = serve()
    cd.SessionManager.bind_session(session)
    receipt = FRAME.clicdata.push(name, session=session)
    assert change(receipt) == receipt
    assert change(receipt)._session is session
    content = pickle.dumps(receipt)
    assert sandbox.client_secret.encode() not in content
    assert b"Session" not in content
    loaded = pickle.loads(content)
    assert loaded == receipt
    assert loaded._session is None
    assert len(loaded.read()) == 4
    assert "_session" not in dataclasses.asdict(receipt)
    dry = FRAME.head(1).clicdata.delete_rows(receipt, on="k", dry_run=True)
    pd.testing.assert_frame_equal(change(dry).preview, dry.preview)


def test_what_stands_for_no_table_is_refused_with_a_line(session, name):
    dry = FRAME.clicdata.push(name, dry_run=True, session=session)
    with pytest.raises(TypeError, match=r"its table does not exist yet\. Push without dry_run="):
        dry.read()
    receipt = FRAME.clicdata.push(name, session=session)
    with pytest.raises(TypeError, match=r"push\(receipt.name, if_exists='replace'\)"):
        FRAME.clicdata.push(receipt, session=session)
    with pytest.raises(TypeError, match="A dashboard is identified by its RecId"):
        cd.Dashboard(session).get_dashboard_snapshot(receipt)
