"""The doctor finds every assumption that does not hold, names none wrongly, and leaves nothing but a table."""

import contextlib
import json
import logging
import os
import random
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import signed_in
from pandas_clicdata.cli import main
from pandas_clicdata.diagnosis import QUESTIONS, SCRATCH
from pandas_clicdata.sandbox import Assumptions
from pandas_clicdata.sandbox.assumptions import CHOICES

FLIPS = [(name, choice) for name, choices in CHOICES.items() for choice in choices[1:]]
DEFAULTS = {name: choices[0] for name, choices in CHOICES.items()}
MOST_REQUESTS = 120


@pytest.fixture
def examined(new_sandbox, tmp_path):
    """Return a function that examines a sandbox with a table and a schedule, and returns the findings by assumption."""

    def examine(dialect="both", *, write=True, then=None, seeded=False, **assume):
        with (
            new_sandbox(dialect, assume=Assumptions(**assume)) as sandbox,
            signed_in(sandbox, service_profile=tmp_path / "profile.json") as session,
        ):
            sandbox.put_source("fed.csv", "n,at\n1,2024-02-29 12:00:00\n")
            sandbox.feed("Fed", "fed.csv")
            sandbox.schedule("Nightly", tables=["Fed"], method="reload")
            if seeded:
                sandbox.seed()
            report = cd.doctor(session, write=write)
            assert len(sandbox.requests) <= MOST_REQUESTS
            if then is not None:
                then(sandbox, session, report)
            return {each.assumption: each for each in report.findings}

    return examine


def hidden(dialect, assume):
    """Return the assumptions that cannot be found out, and a name of the reason."""
    version = "" if dialect == "unversioned" else assume["newest_version"]
    names = set()
    if not version:
        names |= {"created_as", "insert_counts", "newest_version", "pagination", "refresh_result", "version_headers"}
    if dialect == "versioned":
        names |= {"account_usage"}
    if version == "2021.08":
        names |= {"insert_counts"}
    # Without the request /insert, a limit of that request does not show; without another one, nothing else does.
    if version in ("", "2021.08") and assume["row_limit"] != "all":
        names |= {"row_limit"}
    if version < "2025.3" or assume["refresh_without_source"] == "refused":
        names |= {"refresh_result"}
    return names


def check(findings, dialect, assume):
    assume = {**DEFAULTS, **assume}
    for name, value in assume.items():
        finding = findings[name]
        assert finding.expected == DEFAULTS[name]
        if name in hidden(dialect, assume):
            assert finding.verdict == "not found out", name
        else:
            assert (finding.found, finding.verdict) == (
                value,
                "as assumed" if value == DEFAULTS[name] else "differs",
            ), name


def test_every_switch_is_a_question_with_the_same_default():
    expected = {question.name: question.expected for question in QUESTIONS}
    assert {name: expected[name] for name in DEFAULTS} == DEFAULTS
    assert len(expected) == len(QUESTIONS)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("dialect", ["both", "versioned", "unversioned"])
def test_nothing_differs_from_the_default(examined, dialect):
    findings = examined(dialect)
    check(findings, dialect, {})
    assert {each.verdict for each in findings.values()} <= {"as assumed", "not found out"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "choice"), FLIPS)
def test_each_switch_that_is_flipped_is_named(examined, name, choice):
    check(examined(**{name: choice}), "both", {name: choice})


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=() if seed < 2 else pytest.mark.slow) for seed in range(20)])
def test_random_combinations_are_named(examined, seed):
    drawn = random.Random(seed)
    assume = {name: drawn.choice(choices) for name, choices in CHOICES.items()}
    dialect = drawn.choice(["both", "versioned", "unversioned"])
    check(examined(dialect, **assume), dialect, assume)


def test_a_doctor_that_only_reads_changes_nothing(examined):
    def then(sandbox, session, report):
        assert {each.method for each in sandbox.requests} == {"GET", "POST"}
        assert {each.operation for each in sandbox.requests if each.method == "POST"} == {"token"}
        assert any("cd.doctor(write=True)" in note for note in report.notes)

    findings = examined(write=False, then=then)
    written = {question.name for question in QUESTIONS if question.writes}
    assert {each.verdict for name, each in findings.items() if name in written} == {"not found out"}
    assert {each.verdict for name, each in findings.items() if name not in written} == {"as assumed"}


@pytest.mark.parametrize("case", ["insensitive", "sensitive"])
def test_the_table_is_used_again_and_left_empty(examined, case):
    def then(sandbox, session, report):
        tables = set(sandbox.ledger.tables())
        own = {name for name in tables if name.casefold() == SCRATCH}
        assert own == ({SCRATCH} if case == "insensitive" else {SCRATCH, SCRATCH.upper()})
        for name in own:
            assert sandbox.ledger.rows(name) == []
            assert any(repr(name) in note for note in report.notes)
        again = cd.doctor(session, write=True)
        assert set(sandbox.ledger.tables()) == tables
        # What needs a new table is known from the first time.
        assert [(each.assumption, each.found) for each in again.findings] == [
            (each.assumption, each.found) for each in report.findings
        ]

    examined(name_case=case, then=then)


def test_rows_of_a_doctor_that_was_killed_are_deleted(examined):
    def then(sandbox, session, report):
        left = pd.DataFrame({"run": ["2026-01-01T00:00:00Z abcdef01"], "label": ["order 0"]})
        for name in ("text", "dropdown", "number", "percentage", "checkbox", "date", "datetime", "zoned"):
            left[name] = pd.Series([None], dtype="string")
        table = next(name for name in sandbox.ledger.tables() if name == SCRATCH)
        types = {
            "dropdown": "dropdown", "number": "number", "percentage": "percentage", "checkbox": "checkbox",
            "date": "date", "datetime": "datetime", "zoned": "datetime",
        }  # fmt: skip
        left.clicdata.append(table, column_types=types, session=session)
        assert len(sandbox.ledger.rows(table)) == 1
        cd.doctor(session, write=True)
        assert sandbox.ledger.rows(table) == []

    examined(then=then)


def test_another_table_of_that_name_is_not_touched(serve, tmp_path):
    sandbox, session = serve()
    pd.DataFrame({"own": [1]}).clicdata.push(SCRATCH, session=session)
    report = cd.doctor(session, write=True)
    assert sandbox.ledger.rows(SCRATCH) == [{"own": 1}]
    assert any("Nothing was written" in note for note in report.notes)


def test_sessions_of_the_account_use_what_was_found(examined, tmp_path):
    def then(sandbox, session, report):
        with signed_in(sandbox, service_profile=tmp_path / "profile.json") as other:
            assert "service profile of" in repr(other)
            sandbox.requests.clear()
            frame = pd.DataFrame({"key": ["a", "A"], "n": [1, 2]})
            frame.clicdata.push("T", session=other)
            frame.assign(n=[3, 4]).clicdata.update_rows("T", on="key", session=other)
            frame.head(1).clicdata.delete_rows("T", on="key", session=other)
            # One request for each row: the key is known, and that text is compared exactly.
            assert sandbox.requests.counts()["update"] == 2
            assert sandbox.ledger.rows("T") == [{"key": "A", "n": 4}]

    examined(update_key="update", unknown_update_key="cleared", then=then)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("assume", [{"duplicate_rows": "dropped"}, {"refused_rows": "row", "insert_counts": False}])
def test_a_service_that_drops_rows_is_verified(serve, tmp_path, name, assume, known):
    """Without the profile, the receipt says that the rows are not verified."""
    version = "2025.3" if "insert_counts" in assume else "unversioned"
    _, session = serve(version, assume=Assumptions(**assume), session={"service_profile": tmp_path / "p.json"})
    if known:
        cd.doctor(session, write=True)
    frame = pd.DataFrame({"n": [1, 1, 2]})
    if not known:
        assert frame.clicdata.push(name, session=session).status == "unverified"
    elif "duplicate_rows" in assume:
        with pytest.raises(cd.VerificationError):
            frame.clicdata.push(name, session=session)
    else:
        assert frame.clicdata.push(name, session=session).status == "verified"


def test_the_report_is_shown_as_frame_text_html_and_json(examined):
    def then(sandbox, session, report):
        frame = report.to_frame()
        assert list(frame.columns) == ["assumption", "expected", "found", "verdict"]
        assert len(frame) == len(QUESTIONS)
        assert set(frame["verdict"]) == {"as assumed", "differs"}
        text, page, content = str(report), report._repr_html_(), report.to_json()
        assert "pagination" in text
        assert ">differs</span>" in page
        parsed = json.loads(content)
        assert [each["assumption"] for each in parsed["findings"]] == frame["assumption"].tolist()
        # Nothing of the account, and no secret.
        company = {name for name in sandbox.ledger.tables() if name != SCRATCH}
        company |= {user["email_address"] for user in cd.User(session).get_user().to_dict("records")}
        for shown in (text, page, content, repr(report)):
            assert not any(each in shown for each in company)
            assert not any(each in shown for each in (sandbox.client_id, sandbox.client_secret, sandbox.password))

    examined(pagination="bare", seeded=True, then=then)


@pytest.mark.parametrize("scopes", [["account_read"], ["data_read", "account_read"], ["table_read", "data_read"]])
@pytest.mark.parametrize("write", [False, True])
def test_what_may_not_be_read_is_not_found_out(serve, scopes, write):
    sandbox, session = serve(scopes=scopes)
    report = cd.doctor(session, write=write)
    assert "differs" not in set(report.to_frame()["verdict"])
    assert any("HTTP 403" in note or "PermissionDenied" in note for note in report.notes)
    assert set(sandbox.ledger.tables()) <= {SCRATCH}


def test_refused_credentials_are_an_error(serve):
    sandbox, _ = serve()
    with (
        cd.Session(client_id=sandbox.client_id, client_secret="wrong", base_url=sandbox.url) as session,
        pytest.raises(cd.AuthenticationError),
    ):
        cd.doctor(session)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["read", "append", "update", "delete", "create", "list", "versions", "account"])
@pytest.mark.parametrize("status", [403, 429, 500])
def test_an_operation_that_fails_names_nothing_wrongly(serve, operation, status):
    sandbox, session = serve(assume=Assumptions(), session={"service_profile": None})
    sandbox.faults.status(status, operation=operation, times=500)
    try:
        report = cd.doctor(session, write=True)
    except cd.ClicDataError:
        assert operation in ("account", "list")
        return
    named = {each.assumption for each in report.findings if each.verdict == "differs"}
    assert named == set()


@pytest.mark.parametrize("write", [None, 1, "yes"])
def test_write_is_true_or_false(serve, write):
    _, session = serve()
    with pytest.raises(TypeError, match="write= must be True or False"):
        cd.doctor(session, write=write)


def test_the_command_prints_text_or_json(serve, monkeypatch, capsys, tmp_path, no_settings):
    sandbox, _ = serve()
    monkeypatch.setenv("CLICDATA_BASE_URL", sandbox.url)
    monkeypatch.setenv("CLICDATA_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("CLICDATA_CLIENT_SECRET", sandbox.client_secret)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr()
    assert "as assumed" in shown.out
    assert shown.err == ""
    assert main(["doctor", "--write", "--json", "--service-profile", str(tmp_path / "p.json")]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["facts"]["session"] == "client_credentials, versioned, 2025.3"
    assert SCRATCH in shown.err
    assert json.loads((tmp_path / "p.json").read_text())["facts"]["update_key"]["found"] == "data"


def test_the_command_without_credentials_says_what_is_missing():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICDATA_")}
    done = subprocess.run(
        [sys.executable, "-m", "pandas_clicdata", "doctor"],
        capture_output=True, text=True, env={**environment, "XDG_CONFIG_HOME": "/nonexistent"}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "credentials" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_is_announced_before_it_is_created(serve, caplog):
    _, session = serve()
    with caplog.at_level(logging.INFO, "pandas_clicdata"):
        cd.doctor(session, write=True)
    assert f"creates the table '{SCRATCH}'" in caplog.text


@pytest.fixture
def simple_service(http_service):
    """Return a function that starts a versioned service; ``matches(method, cell, value)`` decides what is found."""

    @contextlib.contextmanager
    def start(matches=lambda method, cell, value: cell == value, tables=(), created=None):
        store = {rec_id: {"name": name, "columns": columns, "rows": rows} for rec_id, name, columns, rows in tables}

        def table_reply(method, table, last, body):
            if method == "GET":
                return {"data": table["rows"], "columns": table["columns"]}
            found = [
                row
                for row in table["rows"]
                if all(matches(method, row.get(cell["column"]), cell["value"]) for cell in body.get("find", ()))
            ]
            if method == "PUT":
                for row in found:
                    row.update({cell["column"]: cell["value"] for cell in body.get("data", ())})
            elif method == "DELETE":
                table["rows"] = [row for row in table["rows"] if not any(row is each for each in found)]
            elif last == "insert":
                table["rows"] += [
                    {each["name"]: row.get(each["name"]) for each in table["columns"]} for row in body["data"]
                ]
            return {}

        def answer(request):
            parts, body = request.path.strip("/").split("/"), json.loads(request.body or "{}")
            if parts == ["account"]:
                if "api_version" not in request.query:
                    return 200, {}, b'{"error": {"code": "APIVersionRequired"}}'
                result: Any = {"name": "An account"}
            elif parts == ["data"] and request.method == "POST":
                result = 100 + len(store)
                store[result] = {"name": body["name"], "columns": body["columns"], "rows": []}
                result = result if created is None else created
            elif len(parts) == 1:
                listed = [{"id": rec_id, "name": table["name"]} for rec_id, table in store.items()]
                result = listed if parts == ["table"] else []
            else:
                result = table_reply(request.method, store[int(parts[1])], parts[-1], body)
            return 200, {}, json.dumps({"success": True, "result": result, "pagination": {"last_page": True}}).encode()

        with http_service(answer) as url:
            yield url

    return start


@pytest.mark.slow
@pytest.mark.parametrize("ignoring", ["PUT", "DELETE"])
def test_a_service_that_ignores_conditions_is_not_taken_for_another_one(simple_service, tmp_path, ignoring):
    def matches(method, cell, value):
        return method == ignoring or cell == value

    with (
        simple_service(matches) as url,
        cd.Session(api_key="k", base_url=url, service_profile=tmp_path / "p.json") as session,
    ):
        profile = session._client.service_profile
        profile.learn({"find_text": "exact"}, session._client.dialect.kind)
        report = cd.doctor(session, write=True)
        found = {each.assumption: each.found for each in report.findings}
        assert any("does not match its condition" in note for note in report.notes)
        if ignoring == "PUT":
            assert (found["update_key"], profile.update_key) == ("neither", None)
            assert found["find_text"] == "exact"
        else:
            assert found["update_key"] == "data"
            assert found["find_text"] == "ignores conditions"
            assert not profile.compares_exactly("find_text")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ignored", "found"),
    [("\N{COMBINING DIAERESIS}", "ignores accent"), ("\N{ROCKET}", "ignores emoji"), ("", "exact")],
)
def test_conditions_that_match_without_accents_or_emoji_are_named(simple_service, tmp_path, ignored, found):
    def matches(method, cell, value):
        def weighed(text):
            return (
                unicodedata.normalize("NFD", text).replace(ignored, "") if ignored and isinstance(text, str) else text
            )

        return weighed(cell) == weighed(value)

    with (
        simple_service(matches) as url,
        cd.Session(api_key="k", base_url=url, service_profile=tmp_path / "p.json") as session,
    ):
        report = cd.doctor(session, write=True)
        assert {each.assumption: each.found for each in report.findings}["find_text"] == found
        assert session._client.service_profile.compares_exactly("find_text") == (found == "exact")


@pytest.mark.slow
def test_no_letter_or_digit_of_a_datetime_is_reported(simple_service, tmp_path):
    tables = [(1, "T", [{"name": "d", "data_type": "datetime"}], [{"d": "12. Jänner 2024, Müller"}])]
    with (
        simple_service(tables=tables) as url,
        cd.Session(api_key="k", base_url=url, service_profile=tmp_path / "p.json") as session,
    ):
        report = cd.doctor(session)
    assert {each.assumption: each.found for each in report.findings}["datetime_form"] == "99. aaaaaa 9999, aaaaaa"


def test_the_doctor_examines_the_dialect_of_the_session(serve, tmp_path):
    """What is found out about the other dialect does not count."""
    sandbox, session = serve("unversioned", session={"service_profile": tmp_path / "p.json"})
    cd.doctor(session, write=True)
    updates = [each for each in sandbox.requests if each.operation == "update"]
    assert updates
    assert not any("api_version" in each.query for each in updates)
    assert session._client.service_profile.update_key == "data"
    with signed_in(sandbox, "2025.3", service_profile=tmp_path / "p.json") as other:
        assert other._client.service_profile.update_key is None


def test_a_table_that_another_doctor_uses_is_not_refreshed(examined):
    def then(sandbox, session, report):
        run = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} 00000000"
        left = pd.DataFrame({"run": [run], "label": ["order 0"]})
        for column in ("text", "dropdown", "number", "percentage", "checkbox", "date", "datetime", "zoned"):
            left[column] = pd.Series([None], dtype="string")
        types = {
            "dropdown": "dropdown", "number": "number", "percentage": "percentage", "checkbox": "checkbox",
            "date": "date", "datetime": "datetime", "zoned": "datetime",
        }  # fmt: skip
        left.clicdata.append(SCRATCH, column_types=types, session=session)
        sandbox.requests.clear()
        again = cd.doctor(session, write=True)
        assert [row["run"] for row in sandbox.ledger.rows(SCRATCH)] == [run]
        assert "refresh" not in sandbox.requests.counts()
        assert any("rows of another doctor" in note for note in again.notes)

    examined(then=then)


@pytest.mark.slow
def test_a_reply_that_names_another_table_is_not_believed(simple_service, tmp_path):
    rows = [{"d": "2024-01-01 00:00:00"}]
    tables = [(1, "T", [{"name": "d", "data_type": "datetime"}], rows)]
    with (
        simple_service(tables=tables, created=1) as url,
        cd.Session(api_key="k", base_url=url, service_profile=tmp_path / "p.json") as session,
    ):
        report = cd.doctor(session, write=True)
    assert rows == [{"d": "2024-01-01 00:00:00"}]
    assert any("Nothing was written" in note for note in report.notes)


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_profile_that_cannot_be_written_is_not_called_updated(serve, tmp_path, is_kept):
    _, session = serve(session={"service_profile": tmp_path / "folder" / "p.json"})
    if not is_kept:
        (tmp_path / "folder").touch()
    notes = cd.doctor(session).notes
    assert any("is updated" in note for note in notes) == is_kept
    assert any("cannot be written" in note for note in notes) != is_kept


def test_the_command_prints_to_a_console_without_all_characters(serve, tmp_path):
    sandbox, _ = serve()
    environment = {
        **os.environ, "CLICDATA_BASE_URL": sandbox.url, "CLICDATA_CLIENT_ID": sandbox.client_id,
        "CLICDATA_CLIENT_SECRET": sandbox.client_secret, "PYTHONIOENCODING": "ascii",
    }  # fmt: skip
    (tmp_path / "p.json").write_text(
        json.dumps(
            {
                "service_profile": 1,
                "base_url": sandbox.url,
                "facts": {"text values": {"found": "x…", "at": datetime.now(UTC).isoformat()}},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "pandas_clicdata", "doctor", "--service-profile", str(tmp_path / "p.json")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert r"x\u2026" in done.stdout
