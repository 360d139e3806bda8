"""Receipts: their counts, in every operation and as a dry run."""

import pandas as pd
import pytest

import pandas_clicdata as cd

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
