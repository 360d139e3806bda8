"""Seeding: the content afterwards, read over plain HTTP, and existing content that stays unchanged."""

import base64
import configparser
import contextlib
import csv
import fnmatch
import io
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import requests

from pandas_clicdata.sandbox import RemoteSandbox, Sandbox, Seeding

pytestmark = pytest.mark.sampled(1)

FLIGHT = {
    "carrier": "text",
    "arr_delay": "number",
    "dep_delay": "number",
    "date": "date",
    "flight": "number",
    "origin": "text",
    "dest": "text",
    "tailnum": "text",
    "scheduled": "datetime",
    "departed": "datetime",
    "air_time": "number",
    "distance": "number",
    "cancelled": "checkbox",
}
PLANE = dict.fromkeys(["manufacturer", "seats", "model", "year", "engines", "tailnum"], "text") | dict.fromkeys(
    ["seats", "year", "engines"], "number"
)
PENGUIN = dict.fromkeys(["species", "island"], "dropdown") | {
    "bill_length_mm": "number",
    "bill_depth_mm": "number",
    "flipper_length_mm": "number",
    "body_mass_g": "number",
    "sex": "dropdown",
    "year": "number",
}
# Name, source, rows, rows of each version, columns.
TABLES = [
    ("Flights", "file", 1221, [842, 1221], FLIGHT),
    ("Flights of 1 January", "file", 842, [], FLIGHT),
    ("Airlines", "file", 16, [16, 16], {"carrier": "text", "name": "text"}),
    ("Planes", "file", 131, [131, 131], PLANE),
    ("Penguins", "api", 344, [0, 344], PENGUIN),
]
DASHBOARDS = {"Delays by airline": 12, "Delays on 1 January": 1, "Seats by maker": 0, "Penguins by species": 3}
SCHEDULES = {"Nightly flights": "idle", "Weekly names": "succeeded", "Fails on purpose": "failed"}
LOGINS = {"mira.okafor": 9, "tomas.lindqvist": 4, "zoe.haddad": 2, "ravi.castellano": 0}
KEY = ("date", "carrier", "flight")


class Seen:
    """A sandbox, read by a program without the package."""

    def __init__(self, sandbox, http):
        self.sandbox, self.http = sandbox, http
        http.trust_env = False
        http.headers["CLICDATA-API-KEY"] = sandbox.api_key

    def send(self, method, path, body=None, **options):
        reply = self.http.request(method, self.sandbox.url + path, json=body, timeout=10, **options)
        assert reply.status_code == 200, reply.text
        return reply

    def get(self, path, **params):
        return self.send("GET", path, params=params).json()

    def ids(self):
        return {entry["name"]: entry["rec_id"] for entry in self.get("/data")["data"]}

    def table(self, name):
        """Return columns and rows of a table."""
        path, rows, more, page = f"/data/{self.ids()[name]}", [], True, 0
        while more:
            page += 1
            part = self.get(path, page=page)
            rows += part["data"]
            more = part["has_more_data"]
        return {column["name"]: column["data_type"] for column in part["columns"]}, rows

    def flights(self):
        _, rows = self.table("Flights")
        return {tuple(row[name] for name in KEY): row for row in rows}

    def versions(self, name):
        return [version["row_count"] for version in self.get(f"/data/{self.ids()[name]}/versions")["versions"]]

    def everything(self):
        """Return all content, without the logins that the requests cause."""
        replies = [
            self.get(path) for path in ("/data", "/dashboard", "/schedule", "/team", "/account/activity/dashboards")
        ]
        people = [{**user, "last_login_date": None} for user in self.get("/user")["users"]]
        tables = {name: (self.table(name), self.versions(name)) for name in self.ids()}
        sources = {path.name: path.read_bytes() for path in self.sandbox.sources.iterdir()}
        return replies, people, tables, sources


@pytest.fixture(scope="module")
def look(new_sandbox):
    """Start sandboxes and read them; they stop when the block ends."""

    @contextlib.contextmanager
    def opened(**options):
        with new_sandbox(**options) as sandbox, requests.Session() as http:
            yield Seen(sandbox, http)

    return opened


@pytest.fixture(scope="module")
def seeded(look):
    """Yield a seeded sandbox that tests must not change."""
    with look() as seen:
        seen.result = seen.sandbox.seed()
        yield seen


@pytest.fixture(scope="module")
def seeded_folder(look, tmp_path_factory):
    folder = tmp_path_factory.mktemp("company") / "data"
    with look(data=folder) as seen:
        seen.sandbox.seed()
    return folder


@pytest.fixture
def folder(seeded_folder, tmp_path):
    """Return a copy of a seeded data folder."""
    return Path(shutil.copytree(seeded_folder, tmp_path / "data"))


# content


@pytest.mark.parametrize(("name", "source", "count", "versions", "columns"), TABLES, ids=[row[0] for row in TABLES])
def test_each_table_has_its_rows_columns_and_versions(seeded, name, source, count, versions, columns):
    found, rows = seeded.table(name)
    (entry,) = seeded.get("/data", name=name)["data"]

    assert found == columns
    assert len(rows) == count
    assert seeded.versions(name) == versions
    assert entry["source"] == source
    assert entry["description"]


def test_only_these_tables_are_created(seeded):
    assert list(seeded.ids()) == [row[0] for row in TABLES]


def test_flights_are_those_of_the_package_as_known_at_noon(seeded):
    noon = "2013-01-02 17:00:00"
    real = {}
    with (files("pandas_clicdata") / "data" / "flights.parquet").open("rb") as file:
        for row in pq.read_table(file).drop_columns(["time_hour"]).to_pylist():
            real[f"{row['year']}-{row['month']:02}-{row['day']:02}", row["carrier"], row["flight"]] = row
    found = seeded.flights()
    unknown = 0
    for key, row in found.items():
        truth = real[key]
        assert row["scheduled"] <= noon
        assert (row["departed"] or "") <= noon
        for name in ("origin", "dest", "distance"):
            assert row[name] == truth[name]
        for name in ("arr_delay", "dep_delay", "air_time", "tailnum"):
            assert row[name] in (truth[name], None)
            unknown += row[name] != truth[name]
        assert row["cancelled"] is (truth["dep_delay"] is None)
        # The time in New York, from another column than the one from which it was calculated.
        hours, minutes = divmod(truth["sched_dep_time"], 100)
        assert row["scheduled"][11:16] == f"{(hours + 5) % 24:02}:{minutes:02}"
    assert unknown > 50
    assert len(found) == 1221


@pytest.mark.parametrize("name", ["Airlines", "Planes"])
def test_names_are_those_of_the_package(seeded, name):
    text = (files("pandas_clicdata") / "data" / f"{name.lower()}.csv").read_text("utf-8")
    columns, rows = seeded.table(name)

    found = [{key: str(value) for key, value in row.items()} for row in rows]
    wanted = [
        {key: str(float(value)) if columns[key] == "number" else value for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]
    for row in found:
        row.update({key: str(float(row[key])) for key in row if columns[key] == "number"})
    assert found == wanted


def test_carriers_and_planes_of_flights_match_the_other_tables(seeded):
    airlines, planes = seeded.table("Airlines")[1], seeded.table("Planes")[1]
    flights = seeded.table("Flights of 1 January")[1]

    assert {row["carrier"] for row in flights} <= {row["carrier"] for row in airlines}
    assert {row["tailnum"] for row in planes} <= {row["tailnum"] for row in flights}


def test_penguins_are_those_of_the_package(seeded):
    with (files("pandas_clicdata") / "data" / "penguins.parquet").open("rb") as file:
        assert seeded.table("Penguins")[1] == pq.read_table(file).to_pylist()


def test_dashboards_have_pictures_and_views(look, folder):
    with look(data=folder) as seen:
        entries = seen.get("/dashboard")["dashboards"]
        activity = {entry["name"]: entry for entry in seen.get("/account/activity/dashboards")}
        pictures = {seen.send("GET", f"/dashboard/{entry['rec_id']}/thumbnail").text for entry in entries}

    assert {name: entry["view_count"] for name, entry in activity.items()} == DASHBOARDS
    assert [entry["name"] for entry in entries] == list(DASHBOARDS)
    assert len(pictures) == len(DASHBOARDS)
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


def test_schedules_have_every_status(seeded):
    entries = {entry["name"]: entry for entry in seeded.get("/schedule")["schedules"]}

    assert {name: entry["status"] for name, entry in entries.items()} == SCHEDULES
    assert "no such file" in entries["Fails on purpose"]["message"]
    assert entries["Weekly names"]["message"] is None
    assert {name for name, entry in entries.items() if entry["last_run_date"] is None} == {"Nightly flights"}


def test_users_are_in_teams_and_have_logins(seeded):
    users = {user["rec_id"]: user["email_address"] for user in seeded.get("/user")["users"]}
    teams = {team["name"]: team for team in seeded.get("/team")["teams"]}
    logins = {entry["email_address"]: entry["login_count"] for entry in seeded.get("/account/activity/users")}

    assert all(address.endswith("@sandbox.example") for address in users.values())
    assert {name: logins[f"{name}@sandbox.example"] for name in LOGINS} == LOGINS
    assert {name: [users[user].partition("@")[0] for user in team["users"]] for name, team in teams.items()} == {
        "Operations": ["mira.okafor", "tomas.lindqvist"],
        "Finance": ["mira.okafor", "zoe.haddad"],
    }
    assert teams["Finance"]["parameters"] == [{"name": "currency", "value": "USD"}]
    assert len(teams["Operations"]["parameters"]) == 2
    assert {user["first_name"] for user in seeded.get("/user")["users"]} >= {"Tomás", "Zoë"}


def test_each_user_has_a_random_password_that_can_be_set(look, folder):
    with contextlib.closing(sqlite3.connect(folder / "sandbox.sqlite")) as db:
        kept = [row[0] for row in db.execute("SELECT password FROM users WHERE id > 1")]
    assert None not in kept
    assert len(set(kept)) == len(LOGINS)
    address = "mira.okafor@sandbox.example"
    with look(data=folder) as seen:

        def profile(password):
            inner = base64.b64encode(f"{address}:{password}".encode()).decode()
            basic = base64.b64encode(f"{seen.sandbox.client_id}:{inner}".encode()).decode()
            headers = {"CLICDATA-API-KEY": None, "Authorization": f"Basic {basic}"}
            return seen.http.get(f"{seen.sandbox.url}/profile/user", headers=headers, timeout=10)

        guesses = ["", "password", "mira", address, seen.sandbox.password]
        assert {profile(guess).status_code for guess in guesses} == {401}
        seen.send("PUT", "/user/2/password", {"password": "a word"})
        assert profile("a word").json()["first_name"] == "Mira"


def test_the_result_lists_what_was_added(seeded):
    added = [
        *(f"table {row[0]}" for row in TABLES),
        *(f"dashboard {name}" for name in DASHBOARDS),
        *(f"user {name}@sandbox.example" for name in LOGINS),
        "team Operations",
        "team Finance",
        *(f"schedule {name}" for name in SCHEDULES),
    ]
    assert seeded.result == Seeding(tuple(added), ())


# refreshes and runs


@pytest.mark.parametrize(
    ("method", "rows", "changed"),
    [("update", 1221, True), ("append", 1221 + 1785, False), ("updateappend", 1785, True), ("reload", 1785, True)],
)
def test_each_refresh_method_changes_flights(look, folder, method, rows, changed):
    with look(data=folder) as seen:
        before = seen.flights()
        seen.send("POST", f"/data/{seen.ids()['Flights']}/{method}")
        _, after = seen.table("Flights")
        assert len(after) == rows
        assert seen.versions("Flights") == [842, 1221, rows]
        # Existing rows keep their place, or are the first rows of the file.
        assert (after[: len(before)] != list(before.values())) is changed


def test_the_nightly_run_adds_new_flights_once(look, folder):
    with look(data=folder) as seen:
        for _ in range(2):
            seen.send("POST", "/schedule/1/trigger")
            assert len(seen.table("Flights")[1]) == 1785
        assert seen.get("/schedule/1")["schedules"][0]["status"] == "succeeded"


def test_the_failing_schedule_succeeds_with_its_file(look, folder):
    with look(data=folder) as seen:
        text = "\n".join((seen.sandbox.sources / "flights.csv").read_text("utf-8").splitlines()[:11])
        seen.sandbox.put_source("flights-2013-01-01.csv", text)
        seen.send("POST", "/schedule/3/trigger")
        assert len(seen.table("Flights of 1 January")[1]) == 10
        assert seen.get("/schedule/3")["schedules"][0]["status"] == "succeeded"


def test_slow_runs_of_a_seeding_end(look):
    with look(run_seconds=0.05) as seen:
        seen.sandbox.seed()
        while any(entry["status"] == "running" for entry in seen.get("/schedule")["schedules"]):
            pass
        assert {entry["name"]: entry["status"] for entry in seen.get("/schedule")["schedules"]} == SCHEDULES
        assert seen.versions("Flights") == [842, 1221]


# seeding twice


def test_seeding_again_changes_nothing(look, folder):
    with look(data=folder) as seen:
        before = seen.everything()
        assert seen.sandbox.seed() == Seeding()
        assert seen.everything() == before


def test_deleted_and_changed_content_is_not_restored(look, folder):
    with look(data=folder) as seen:
        seen.send("DELETE", "/team/1")
        seen.send("DELETE", "/user/2")
        seen.sandbox.put_source("flights.csv", "mine\n1\n")
    with look(data=folder) as seen:
        before = seen.everything()
        assert seen.sandbox.seed() == Seeding()
        assert seen.everything() == before
        assert [team["name"] for team in seen.get("/team")["teams"]] == ["Finance"]


def test_simultaneous_remote_seedings_seed_once(look, seeded):
    with look() as seen, ThreadPoolExecutor(4) as pool:
        remote = RemoteSandbox(seen.sandbox.url, seen.sandbox.control_key)
        results = list(pool.map(lambda _: remote.seed(), range(4)))
        assert sorted(results, key=lambda each: len(each.added)) == [Seeding()] * 3 + [seeded.result]
        assert {name: len(seen.table(name)[1]) for name in seen.ids()} == {row[0]: row[2] for row in TABLES}


def test_an_interrupted_seeding_is_completed(look, folder):
    with look(data=folder) as seen:
        seen.send("DELETE", "/team/2")
        before = seen.everything()
    with contextlib.closing(sqlite3.connect(folder / "sandbox.sqlite")) as db, db:
        assert db.execute("DELETE FROM settings WHERE name = 'seeded'").rowcount == 1
        db.execute("DELETE FROM dashboards WHERE name IN ('Delays by airline', 'Penguins by species')")
    with look(data=folder) as seen:
        result = seen.sandbox.seed()
        assert result.added == ("dashboard Delays by airline", "dashboard Penguins by species", "team Finance")
        assert len(result.left_out) == 15
        (*_, tables, sources), (*_, tables_before, sources_before) = seen.everything(), before
        assert (tables, sources) == (tables_before, sources_before)
        assert {entry["name"] for entry in seen.get("/dashboard")["dashboards"]} == set(DASHBOARDS)
        assert seen.sandbox.seed() == Seeding()


def test_seeding_a_stopped_sandbox_raises_runtimeerror():
    with pytest.raises(RuntimeError, match="call start"):
        Sandbox().seed()


# existing content


def test_existing_content_is_not_changed(look):
    with look() as seen:
        columns = [{"name": "n", "data_type": "number"}]
        mine = seen.send("POST", "/data", {"name": "FLIGHTS", "columns": columns}).json()
        seen.send("POST", f"/data/{mine}/rows", {"data": [[1]]})
        seen.sandbox.put_source("planes.csv", "mine\n1\n")
        seen.send("POST", "/team", {"name": "operations"})
        zoe = {"email_address": "Zoe.Haddad@sandbox.example", "first_name": "Another", "last_name": "Zoë"}
        seen.send("POST", "/user", zoe)
        seen.sandbox.dashboard("penguins BY species", table="FLIGHTS")
        replies, people, tables, sources = seen.everything()

        done = seen.sandbox.seed()

        assert done.left_out == (
            "table Flights",
            "table Planes",
            "dashboard Delays by airline",
            "dashboard Seats by maker",
            "dashboard Penguins by species",
            "user zoe.haddad@sandbox.example",
            "team Operations",
            "schedule Nightly flights",
            "schedule Weekly names",
        )
        assert len(done.added) + len(done.left_out) == 18
        assert [what for what in done.added if what.startswith("table")] == [
            "table Flights of 1 January",
            "table Airlines",
            "table Penguins",
        ]
        replies_now, people_now, tables_now, sources_now = seen.everything()
        assert {name: tables_now[name] for name in tables} == tables
        assert sources_now == {**sources_now, **sources}
        assert people_now[: len(people)] == people
        for then, now in zip(replies, replies_now, strict=True):
            before, after = (each if isinstance(each, list) else next(iter(_lists(each))) for each in (then, now))
            assert [entry for entry in after if entry in before] == before
        finance = next(team for team in seen.get("/team")["teams"] if team["name"] == "Finance")
        assert [user["email_address"] for user in seen.get("/user")["users"] if user["rec_id"] in finance["users"]] == [
            "mira.okafor@sandbox.example"
        ]
        assert seen.sandbox.seed() == Seeding()


def _lists(reply):
    return (value for value in reply.values() if isinstance(value, list))


def test_no_schedule_runs_on_existing_tables(look):
    with look() as seen:
        seen.sandbox.put_source("airlines.csv", "carrier,name\nXX,Mine\n")
        seen.sandbox.feed("Airlines", "airlines.csv", key=["carrier"])
        seen.sandbox.put_source("airlines.csv", "carrier,name\nYY,Not yet\n")

        seen.sandbox.seed()

        assert seen.table("Airlines")[1] == [{"carrier": "XX", "name": "Mine"}]
        assert {entry["name"]: entry["status"] for entry in seen.get("/schedule")["schedules"]} == {
            **SCHEDULES,
            "Weekly names": "idle",
        }


# the command


@pytest.mark.slow
def test_the_command_seeds_once_and_prints_the_result(look, tmp_path):
    with look(data=tmp_path) as seen:
        seen.send("POST", "/team", {"name": "Finance"})
    command = [sys.executable, "-m", "pandas_clicdata", "sandbox", "--port", "0", "--data", str(tmp_path), "--seed"]
    printed = []
    for lines_of_seeding in (2, 1):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            # Without a timeout, missing output would block the test.
            watchdog = threading.Timer(60, process.kill)
            watchdog.start()
            try:
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(7 + lines_of_seeding)]
                exports = dict(line.strip().split("=", 1) for line in lines if line.startswith("  export "))
                remote = RemoteSandbox(exports["export CLICDATA_BASE_URL"], exports["export CLICDATA_SANDBOX_KEY"])
                assert remote.ledger.count("Flights") == 1221
                process.send_signal(signal.SIGTERM)
                rest, wrong = process.communicate(timeout=20)
            finally:
                watchdog.cancel()
                process.kill()
        assert process.returncode == 0
        assert (rest, wrong) == ("The sandbox has stopped.\n", "")
        printed += [line.strip() for line in lines[7:]]
    assert printed == [
        "Added: 5 tables, 4 dashboards, 4 users, 1 team, 3 schedules.",
        "Skipped, because the name is in use or a table that it needs differs: team Finance.",
        "The sandbox was seeded before; nothing was added.",
    ]


# data files


def test_every_data_file_is_packaged_and_documented():
    root = Path(__file__).parents[2]
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg", "utf-8")
    patterns = setup["options.package_data"]["pandas_clicdata"].split()
    folder = files("pandas_clicdata") / "data"
    names = sorted(file.name for file in folder.iterdir())
    notes = (folder / "README.md").read_text("utf-8")

    assert names == ["README.md", "airlines.csv", "flights.parquet", "penguins.parquet", "planes.csv"]
    for name in names:
        assert any(fnmatch.fnmatch(f"data/{name}", pattern) for pattern in patterns), name
        assert name == "README.md" or f"`{name}`: " in notes
    assert sum(len((folder / name).read_bytes()) for name in names if name != "flights.parquet") < 60_000
