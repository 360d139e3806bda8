"""The fault matrix: every fault, at every request, in every write and mode, compared with the ledger row by row.

The scenarios are generated from the tables below. In every scenario, no row is stored twice, confirmed rows are stored,
unsent rows are not stored, and the ranges cover the frame. A receipt means that every row is stored once; a resume with
the token of an error leads to the same.

What a mode promises if a request that counted as lost is carried out later (`PROMISED`):

| mode                    | before its rows        | after they were sent   | after the call         |
|                         | count as lost          | again, before the end  | has returned           |
|-------------------------|------------------------|------------------------|------------------------|
| ``on_unknown="raise"``  | once: never sent again | once: never sent again | once                   |
| ``stamp=``              | once                   | once                   | twice, shown by stamps |
| ``on=``, ``upsert``     | once                   | once                   | twice                  |
| ``on_unknown="check"``  | once                   | twice, and an error    | twice                  |
"""

import contextlib
import functools
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from batches import batch_ranges, rows_of_batches
from waiting import wait_until

import pandas_clicdata as cd
from pandas_clicdata._models import Column

DIALECTS = ("2025.3", "unversioned")
OPERATIONS = ("push", "append", "replace", "upsert")
# Even with four workers, each batch has enough rows to be accepted in part.
BATCH, BATCHES = 6, 4
# A request that hangs takes this long; every other request must be answered within this time.
TIMEOUT = 2
STAMP = "batch"
QUICK = cd.RetryPolicy(attempts=3, backoff=0, min_retry_after=0, max_retry_after=0)
COLUMNS = {"n": "number", "t": "text", "g": "text"}


def rows_of(numbers, text):
    groups = ["odd" if n % 2 else "even" for n in numbers]
    return pd.DataFrame({"n": list(numbers), "t": [f"{text} {n}" for n in numbers], "g": groups})


def plain(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


OLD = rows_of(range(100, 104), "old")
# For an upsert: two rows change, and one is already equal; one row of the table is not in the frame.
CHANGED = rows_of(range(100, 102), "changed")


@dataclass(frozen=True)
class Rows:
    """The frame of a write, the rows of the table after it, and the row range of each insert."""

    frame: pd.DataFrame
    afterwards: list[tuple[Any, ...]]
    batches: list[tuple[int, int]]


@functools.cache
def rows_for(write, dialect, workers):
    """Return the rows of a write that makes BATCHES inserts."""
    count = rows_of_batches(BATCHES, BATCH, dialect, workers)
    new = frame = rows_of(range(count), "new")
    before = {"append": plain(OLD), "upsert": plain(OLD.iloc[[3]])}.get(write, [])
    if write == "upsert":
        frame = pd.concat([new, CHANGED, OLD.iloc[[2]]], ignore_index=True)
    return Rows(frame, before + plain(frame), batch_ranges(count, BATCH, dialect, workers))


MODES: dict[str, Any] = {
    "raise": {},
    "verify": {"verify": True},
    "stamp": {"stamp": STAMP},
    "on": {"on": "n"},
    "check": {"on_unknown": "check"},
}
RECONCILING = ("stamp", "on", "check")
# How often the rows of a lost batch are stored if it is carried out "soon", after it was sent "again", or at the "end".
PROMISED = {
    "raise": {"end": "once"},
    "verify": {"end": "once"},
    "stamp": {"soon": "once", "again": "once", "end": "twice, shown by stamps"},
    "on": {"soon": "once", "again": "once", "end": "twice"},
    "upsert": {"soon": "once", "again": "once", "end": "twice"},
    "check": {"soon": "once", "again": "twice, and an error", "end": "twice"},
}


@dataclass(frozen=True)
class Fault:
    """A fault, and what is known of its request: it did "nothing" or a "part", or its outcome is "unknown"."""

    kind: str
    options: dict[str, Any]
    known: str
    late: str | None = None
    reconcile_wait: float = 0.02


FAULTS = {
    "reply lost after the commit": Fault("lose_reply", {"after_commit": True}, "unknown"),
    "reset before the commit": Fault("lose_reply", {"after_commit": False}, "unknown"),
    "504 after the commit": Fault("status", {"code": 504, "after_commit": True}, "unknown"),
    "504 before the commit": Fault("status", {"code": 504}, "unknown"),
    "500 after the commit": Fault("status", {"code": 500, "after_commit": True}, "unknown"),
    "500 before the commit": Fault("status", {"code": 500}, "unknown"),
    "reply truncated": Fault("truncate_body", {}, "unknown"),
    "reply is garbage": Fault("garbage", {}, "unknown"),
    "late, at the end": Fault("late_commit", {}, "unknown", "end"),
    "late, after the second send": Fault("late_commit", {}, "unknown", "again"),
    "late, but soon": Fault("late_commit", {"delay": 0.01}, "unknown", "soon", reconcile_wait=0.25),
    "late, within reconcile_wait": Fault("late_commit", {"delay": 0.15}, "unknown", "soon", reconcile_wait=0.5),
    "hang after the commit": Fault("hang", {"after_commit": True}, "unknown"),
    "hang before the commit": Fault("hang", {}, "unknown", "end"),
    "partly accepted": Fault("accept_fewer", {"rows": 1}, "part"),
    "503 with Retry-After": Fault("status", {"code": 503, "retry_after": 0}, "unknown"),
    "429": Fault("status", {"code": 429}, "nothing"),
    "401": Fault("status", {"code": 401}, "nothing"),
    "token expired": Fault("expire_token", {}, "nothing"),
}
AT_ONCE = [name for name, fault in FAULTS.items() if fault.kind != "hang" and fault.late in (None, "end")]
LATE = ["late, at the end", "late, after the second send", "late, but soon"]
KNOWN = [name for name, fault in FAULTS.items() if fault.known != "unknown"]
# Some of the faults with an unknown outcome; a status of 5xx is the same as a lost reply.
UNKNOWN = [
    "reply lost after the commit",
    "reset before the commit",
    "504 before the commit",
    "reply truncated",
    "reply is garbage",
    *LATE,
]
HANGS = [name for name, fault in FAULTS.items() if fault.kind == "hang"]


@dataclass(frozen=True)
class Scenario:
    """A write in which one request has a fault."""

    write: str
    mode: str
    dialect: str
    fault: str
    request: str = "append"
    nth: int = 1
    workers: int = 1
    times: int = 1

    def __str__(self):
        repeated = "" if self.times == 1 else " each time"
        fault = f"{self.fault}{repeated} at {self.request} {self.nth}"
        return f"{self.write}, {self.mode}, {self.dialect}, {self.workers} workers: {fault}"

    @property
    def promised(self):
        return PROMISED["upsert" if self.write == "upsert" else self.mode]

    @property
    def reconciles(self):
        """Whether the call itself reconciles unknown rows."""
        return self.write == "upsert" or self.mode in RECONCILING


def of_inserts():
    """Yield scenarios with a fault at an insert."""
    positions = {"first": 1, "middle": BATCHES // 2, "last": BATCHES}
    for dialect in DIALECTS:
        for write in OPERATIONS:
            for workers in (1, 4):
                for nth in positions.values():
                    for fault in AT_ONCE:
                        yield Scenario(write, "raise", dialect, fault, nth=nth, workers=workers)
                for fault in HANGS:
                    yield Scenario(write, "raise", dialect, fault, nth=positions["middle"], workers=workers)
            for fault in ("reply lost after the commit", "late, at the end", "503 with Retry-After", *KNOWN):
                yield Scenario(write, "verify", dialect, fault, nth=positions["middle"], workers=4)
        for nth, workers in ((1, 1), (2, 4), (BATCHES, 4)):
            for fault in UNKNOWN:
                for mode in RECONCILING:
                    for write in ("push", "append"):
                        yield Scenario(write, mode, dialect, fault, nth=nth, workers=workers)
            for fault in ("late, after the second send", "late, but soon"):
                yield Scenario("upsert", "raise", dialect, fault, nth=nth, workers=workers)
        for mode in RECONCILING:
            for fault in (*KNOWN, "503 with Retry-After", "hang after the commit"):
                for write in ("push", "append"):
                    yield Scenario(write, mode, dialect, fault, nth=2, workers=4)
            for fault in UNKNOWN:
                yield Scenario("replace", mode, dialect, fault, nth=2, workers=4)


INSERTS = list(dict.fromkeys(of_inserts()))


# The requests of a write without faults, except its inserts. Where replies do not count rows, more pages are read
# again, and a request for the account at the end checks that each reply belongs to its insert.
OTHERS = {
    "2025.3": {
        "push": {"list": 1, "create": 1},
        "append": {"read": 1},
        "replace": {"list": 1, "read": 5, "delete": 3},
        "upsert": {"read": 2, "update": 2},
    },
    "unversioned": {
        "push": {"list": 1, "create": 1, "account": 1},
        "append": {"read": 1, "account": 1},
        "replace": {"list": 1, "read": 8, "delete": 3, "account": 1},
        "upsert": {"read": 3, "update": 2, "account": 1},
    },
}


EACH_TIME = ("reply lost after the commit", "500 before the commit", "429", "401")
# A late deletion could delete new rows, so these are sent after `reconcile_wait`; another change may come at any time.
COMES_LATE = {"delete": "late, within reconcile_wait", "update": "late, at the end", "create": "late, at the end"}
OF_A_READ = (
    "reset before the commit",
    "504 before the commit",
    "reply truncated",
    "reply is garbage",
    "429",
    "token expired",
)
OF_A_CHANGE = [name for name in AT_ONCE if FAULTS[name].known != "part" and FAULTS[name].late is None]


def of_other_requests():
    """Yield scenarios with a fault at another request of a write."""
    for dialect, writes in OTHERS.items():
        for write, requests in writes.items():
            for request, count in requests.items():
                changes = request in COMES_LATE
                for nth in sorted({1, (count + 1) // 2, count}):
                    for fault in OF_A_CHANGE if changes else OF_A_READ:
                        yield Scenario(write, "raise", dialect, fault, request, nth)
                    if changes:
                        yield Scenario(write, "raise", dialect, COMES_LATE[request], request, nth)
                for nth in {1, count} if changes else {count}:
                    for fault in EACH_TIME:
                        yield Scenario(write, "raise", dialect, fault, request, nth, times=50)
                if changes:
                    yield Scenario(write, "raise", dialect, "hang after the commit", request, count)


OTHER = list(of_other_requests())


class Run:
    """A run of a scenario: its table, its session, and checks of its outcome."""

    def __init__(self, scenario, sandbox, session, name, folder):
        self.scenario, self.sandbox, self.session, self.name, self.folder = scenario, sandbox, session, name, folder
        self.rec_id = None
        rows = rows_for(scenario.write, scenario.dialect, scenario.workers)
        self.frame, self.afterwards, self.batches = rows.frame, rows.afterwards, rows.batches

    def prepare(self):
        """Create the table with the old rows, unless the write creates it."""
        if self.scenario.write == "push":
            return
        stamp = STAMP if self.scenario.mode == "stamp" else None
        names = {**COLUMNS, STAMP: "text"} if stamp else COLUMNS
        columns = [Column(name, data_type) for name, data_type in names.items()]
        self.rec_id = self.session._client.create_table(self.name, "", columns)
        OLD.clicdata.append(self.rec_id, stamp=stamp, session=self.session)

    def script(self):
        scenario = self.scenario
        fault = FAULTS[scenario.fault]
        where = {"operation": scenario.request, "nth": scenario.nth, "times": scenario.times}
        self.sandbox.faults.script(fault.kind, **where, **fault.options)

    def write(self, **more):
        """Return the outcome of the call: a receipt, or an error of this package."""
        scenario, late = self.scenario, FAULTS[self.scenario.fault].late
        options = {
            "chunksize": BATCH,
            "workers": scenario.workers,
            "reconcile_wait": FAULTS[scenario.fault].reconcile_wait,
            "progress": self.release_at_the_end if late == "again" else None,
            "session": self.session,
            **MODES[scenario.mode],
            **more,
        }
        try:
            match scenario.write:
                case "push":
                    return self.frame.clicdata.push(self.name, **options)
                case "append":
                    return self.frame.clicdata.append(self.rec_id, **options)
                case "replace":
                    return self.frame.clicdata.push(self.name, if_exists="replace", backup=self.folder, **options)
                case "upsert":
                    return self.frame.clicdata.upsert(self.rec_id, **{**options, "on": "n"})
        except cd.ClicDataError as exc:
            return exc

    def release_at_the_end(self, done, total):
        """Release the late request when all batches are confirmed, the lost one after its second send."""
        if done >= total:
            self.sandbox.faults.release()

    def release(self):
        """Let the sandbox carry out late requests."""
        before = self.count()
        if not self.sandbox.faults.release():
            return
        if self.scenario.fault == "hang before the commit":
            # Another thread carries it out.
            wait_until(lambda: self.count() > before)

    # the ledger

    def count(self):
        return self.sandbox.ledger.count(self.table) if self.table is not None else 0

    @property
    def table(self):
        if self.rec_id is None:
            self.rec_id = self.sandbox.ledger.tables().get(self.name)
        return self.rec_id

    def rows(self, without_stamps=()):
        """Return the table's rows as they are in frames."""
        rows = self.sandbox.ledger.rows(self.table) if self.table is not None else []
        return [(row["n"], row["t"], row["g"]) for row in rows if row.get(STAMP) not in without_stamps]

    def check_whole(self, without_stamps=()):
        assert Counter(self.rows(without_stamps)) == Counter(self.afterwards)

    def check_error(self, error):
        """Check that no row is stored twice and that the ranges are correct."""
        stored = self.rows()
        assert max(Counter(n for n, _, _ in stored).values(), default=1) == 1, "a row is stored twice"
        if isinstance(error, cd.IncompleteWriteError):
            self.check_ranges(error, stored)
        if self.scenario.write == "replace":
            self.check_old_rows(error, stored)
        elif self.scenario.write != "push":
            numbers = {n for n, _, _ in stored}
            assert numbers >= set(OLD["n"])

    def check_ranges(self, error, stored):
        ranges = (error.confirmed, error.unknown, error.unsent)
        confirmed, unknown, unsent = ([n for pair in each for n in range(*pair)] for each in ranges)
        assert sorted(confirmed + unknown + unsent) == list(range(len(self.frame)))
        of_frame = plain(self.frame)
        assert {of_frame[n] for n in confirmed} <= set(stored)
        assert not {of_frame[n] for n in unsent} & set(stored)

    def check_old_rows(self, error, stored):
        saved = plain(pd.read_parquet(error.backup)[list(COLUMNS)]) if getattr(error, "backup", None) else []
        assert set(plain(OLD)) <= {*stored, *saved}

    def finish(self, error):
        """Complete the write after an error, as the error says."""
        if self.scenario.write == "upsert" or not isinstance(error, cd.IncompleteWriteError):
            receipt = self.write()
        else:
            mode = {} if self.scenario.reconciles else {"on_unknown": "check"}
            receipt = self.write(resume=json.loads(json.dumps(error.resume)), **mode)
        assert isinstance(receipt, cd.WriteResult), receipt
        self.check_whole()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Create one folder for all backups; a folder for each scenario would take longer than most scenarios."""
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(scope="module")
def shared(running):
    """Open a session in each dialect. Only faults that do not affect a session may use it."""
    credentials = {"client_id": running.client_id, "client_secret": running.client_secret, "base_url": running.url}
    with contextlib.ExitStack() as stack:
        yield {each: stack.enter_context(cd.Session(api_version=each, retry=QUICK, **credentials)) for each in DIALECTS}


@pytest.fixture
def run(running, shared, open_session, name, folder):
    """Return a function that runs a scenario to the end of the call."""

    def start(scenario):
        if scenario.fault in HANGS:
            session = open_session(running, scenario.dialect, timeout=TIMEOUT)
        elif FAULTS[scenario.fault].known == "nothing" or "retry_after" in FAULTS[scenario.fault].options:
            session = open_session(running, scenario.dialect)
        else:
            session = shared[scenario.dialect]
        one = Run(scenario, running, session, name, folder)
        one.prepare()
        one.script()
        return one, one.write()

    yield start
    running.faults.clear()
    running.faults.release()


def params(scenarios):
    """Return the scenarios as parameters; of those that wait for a timeout, only the first of each fault is fast."""
    firsts = {scenario.fault: scenario for scenario in reversed(scenarios) if scenario.fault in HANGS}
    slow = {scenario for scenario in scenarios if scenario.fault in HANGS and scenario is not firsts[scenario.fault]}
    return [
        pytest.param(scenario, id=str(scenario), marks=[pytest.mark.slow] if scenario in slow else [])
        for scenario in scenarios
    ]


def expected(scenario):
    """Return the type of the call's outcome."""
    fault = FAULTS[scenario.fault]
    counted = scenario.dialect != "unversioned"
    if fault.known == "part":
        if counted:
            return cd.PartialWriteError
        # Without counts, only verify= detects it.
        return cd.VerificationError if scenario.mode == "verify" else cd.WriteResult
    if fault.known == "unknown" and not scenario.reconciles:
        return cd.AmbiguousWriteError
    if fault.late is not None and "error" in scenario.promised[fault.late]:
        return cd.VerificationError
    return cd.WriteResult


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scenario", params(INSERTS))
def test_a_fault_at_an_insert(run, scenario):
    one, outcome = run(scenario)
    fault, kind = FAULTS[scenario.fault], expected(scenario)
    if scenario.write == "replace" and kind is not cd.WriteResult:
        assert isinstance(outcome, cd.ReplaceIncompleteError), outcome
        assert isinstance(outcome.__cause__, kind)
    else:
        assert isinstance(outcome, kind), outcome
    assert one.sandbox.faults.pending == []
    if kind is cd.VerificationError:
        assert (outcome.__cause__ if scenario.write == "replace" else outcome).differences
        check_unverified(one, outcome)
    elif kind is not cd.WriteResult:
        one.check_error(outcome)
        assert bool(outcome.unknown) == outcome.ambiguous
        one.release()
        one.check_error(outcome)
        one.finish(outcome)
    elif fault.known == "part":
        assert (outcome.status, outcome.confirmed) == ("unverified", 0)
        assert len(one.rows()) == len(one.afterwards) - BATCH + 1
    else:
        check_receipt(one, outcome)


def check_receipt(one, receipt):
    scenario, late = one.scenario, FAULTS[one.scenario.fault].late
    one.check_whole()
    assert receipt.rows == len(one.frame)
    if scenario.write != "upsert":
        counted = scenario.dialect != "unversioned"
        status = "verified" if scenario.mode == "verify" else "confirmed" if counted else "unverified"
        assert receipt.status == status
        assert receipt.sent == len(one.frame)
        assert 0 <= receipt.confirmed <= receipt.sent
        assert receipt.confirmed == receipt.sent or status == "unverified"
    if FAULTS[scenario.fault].known == "nothing":
        assert receipt.retries >= 1
    if late == "end":
        one.release()
        twice = Counter(one.rows()) - Counter(one.afterwards)
        # With several workers, the n-th request may carry another batch than the n-th.
        lost = one.batches if scenario.workers > 1 else [one.batches[scenario.nth - 1]]
        assert twice in [Counter(plain(one.frame)[start:stop]) for start, stop in lost], "see PROMISED"
        if "stamps" in scenario.promised["end"]:
            one.check_whole(without_stamps=receipt.stale_stamps)


def check_unverified(one, error):
    """Check an error after all rows were sent: the table differs from the frame."""
    stored, of_frame = Counter(one.rows()), plain(one.frame)
    for start, stop in error.confirmed:
        assert {stored[row] for row in of_frame[start:stop]} == {1}
    wrong = {row for row in of_frame if stored[row] != 1}
    assert wrong
    assert wrong <= {row for start, stop in error.unknown for row in of_frame[start:stop]}
    assert Counter(one.rows()) != Counter(one.afterwards)


def expected_elsewhere(scenario):
    """Return the type of the call's outcome if the fault is not at an insert."""
    if scenario.request == "account":
        # It may fail, because the rows are already stored.
        return cd.WriteResult
    if scenario.request == "create":
        # After a lost reply, the table is looked up.
        fails = scenario.times > 1 and scenario.fault != "reply lost after the commit"
        return cd.ClicDataError if fails else cd.WriteResult
    if scenario.fault == "reply is garbage" and scenario.request == "read":
        # Where pages are read twice, a failed read may be repeated, too.
        return cd.ClicDataError, cd.WriteResult
    fails = scenario.times > 1 or scenario.fault == "reply is garbage"
    return cd.ClicDataError if fails else cd.WriteResult


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scenario", params(OTHER))
def test_a_fault_at_another_request(run, scenario):
    one, outcome = run(scenario)
    one.sandbox.faults.clear()
    assert isinstance(outcome, expected_elsewhere(scenario)), outcome
    if isinstance(outcome, cd.WriteResult):
        one.check_whole()
        one.release()
        one.check_whole()
        return
    one.check_error(outcome)
    if not isinstance(outcome, cd.IncompleteWriteError):
        assert set(one.rows()) == (set() if scenario.write == "push" else set(plain(OLD))), "nothing was changed"
    one.release()
    one.check_error(outcome)
    one.finish(outcome)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("write", OPERATIONS)
def test_the_requests_of_a_write_are_as_listed(running, open_session, name, folder, write, dialect):
    one = Run(Scenario(write, "raise", dialect, "429"), running, open_session(running, dialect), name, folder)
    one.prepare()
    before = running.requests.counts()
    receipt = one.write()
    assert isinstance(receipt, cd.WriteResult)
    made = running.requests.counts() - before
    # A list may have several pages.
    pages = made.pop("list", 0)
    made.pop("token", 0)
    assert (pages > 0) == ("list" in OTHERS[dialect][write])
    assert made == {"append": BATCHES, **{key: count for key, count in OTHERS[dialect][write].items() if key != "list"}}


def test_the_number_of_scenarios():
    assert (len(INSERTS), len(OTHER)) == (1180, 384)
    assert len(set(map(str, [*INSERTS, *OTHER]))) == len(INSERTS) + len(OTHER)
