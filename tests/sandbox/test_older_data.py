"""A data folder of an older sandbox opens with all its data; one of a newer sandbox is refused."""

import contextlib
import sqlite3

import pytest

from pandas_clicdata.sandbox import Sandbox

# What the sandbox wrote before tables had sources, after: create, insert of three rows, an update, a delete.
OLD = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, expires REAL, scopes TEXT NOT NULL, redirect_uri TEXT
);
CREATE TABLE tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL, rows INTEGER NOT NULL, next_row INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE TABLE columns (
    table_id INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, data_type TEXT NOT NULL,
    PRIMARY KEY (table_id, place)
);
CREATE TABLE versions (
    table_id INTEGER NOT NULL, version INTEGER NOT NULL, created TEXT NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (table_id, version)
);
CREATE TABLE inserts (
    table_id INTEGER NOT NULL, request INTEGER NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL
);
INSERT INTO sqlite_sequence (name, seq) VALUES ('tables', 1000);
CREATE TABLE rows_1001 (row INTEGER PRIMARY KEY, born INTEGER NOT NULL, c0 TEXT NOT NULL, c1 TEXT NOT NULL);
CREATE TABLE past_1001 (
    row INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL, c0 TEXT NOT NULL, c1 TEXT NOT NULL
);
INSERT INTO settings VALUES ('client_id', 'an-old-client'), ('api_key', 'an-old-key');
INSERT INTO tables VALUES
    (1001, 't', 'T', 'old', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:03+00:00', 2, 4, 4);
INSERT INTO columns VALUES (1001, 0, 'k', 'text'), (1001, 1, 'n', 'number');
INSERT INTO versions VALUES
    (1001, 1, '2026-01-01T00:00:00+00:00', 0), (1001, 2, '2026-01-01T00:00:01+00:00', 3),
    (1001, 3, '2026-01-01T00:00:02+00:00', 3), (1001, 4, '2026-01-01T00:00:03+00:00', 2);
INSERT INTO inserts VALUES (1001, 7, 1, 3);
INSERT INTO rows_1001 VALUES (2, 3, '"b"', '20'), (3, 2, '"c"', '3');
INSERT INTO past_1001 VALUES (2, 2, 3, '"b"', '2'), (1, 2, 4, '"a"', '1');
"""


@pytest.fixture
def old(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "sandbox.sqlite")) as db:
        db.executescript(OLD)
    return tmp_path


def test_a_folder_of_an_older_sandbox_opens_with_all_its_data(serve, old):
    for _ in range(2):
        sb, call = serve(data=old)
        assert (sb.client_id, sb.api_key) == ("an-old-client", "an-old-key")
        assert sb.ledger.tables() == {"T": 1001}
        assert call("GET", "/data").json()["data"] == [
            {
                "rec_id": 1001, "name": "T", "description": "old", "source": "api",
                "creation_date": "2026-01-01T00:00:00+00:00", "last_data_update_date": "2026-01-01T00:00:03+00:00",
            }
        ]  # fmt: skip
        found = [[tuple(row.values()) for row in sb.ledger.rows("T", number)] for number in (1, 2, 3, 4)]
        assert found == [
            [],
            [("a", 1), ("b", 2), ("c", 3)],
            [("a", 1), ("b", 20), ("c", 3)],
            [("b", 20), ("c", 3)],
        ]
        assert [[row["n"] for row in rows] for _, rows in sb.ledger.inserts("T")] == [[1, 2, 3]]
        assert call("POST", "/data/1001/reload").json() == {"success": True}
        sb.stop()
    sb, call = serve(data=old)
    call.insert(1001, [{"k": "d", "n": 4}])
    assert len(call("GET", "/data/1001/versions").json()["versions"]) == 5
    sb.put_source("f.csv", "a\n1\n")
    assert sb.feed("Fed", "f.csv") == 1002
    assert sb.schedule("S", tables=["Fed"], method="reload") == 1


def test_a_folder_of_a_newer_sandbox_is_refused_and_not_changed(old):
    with contextlib.closing(sqlite3.connect(old / "sandbox.sqlite")) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(ValueError, match="written by a newer sandbox"):
        Sandbox(data=old).start()
    with contextlib.closing(sqlite3.connect(old / "sandbox.sqlite")) as db:
        assert "source" not in [row[1] for row in db.execute("PRAGMA table_info(tables)")]
