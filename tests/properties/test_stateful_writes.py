"""Writes under random faults, stops and resumes: the table equals the frame in the end, or an error says how not."""

import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import pandas_clicdata as cd

STEPS = 7
SETTLE = 0.02
# Tables have several pages, and none of them is the one before: a reader takes that for a page that came twice.
PAGE = 31

_BOTH = [{"after_commit": True}, {"after_commit": False}]


def _each(kind, *options):
    return [(kind, each) for each in options or ({},)]


def _statuses(*codes):
    return _each("status", *({"code": code, **after} for code in codes for after in _BOTH))


_DID_NOTHING = _each("status", {"code": 429}, {"code": 401}) + _each("expire_token")
_BUSY = _each("status", *({"code": 503, "retry_after": 0, **after} for after in _BOTH))
_LOST = _each("lose_reply", *_BOTH) + _statuses(500, 504) + _BUSY + _each("truncate_body") + _each("garbage")
_REFUSED = _each("status", {"code": 400}) + _each("error_200", {"code": "Busy", "description": "Not now."})
_LATE = _each("late_commit")
FAULTS = {
    # More than once, for it is what all this is about.
    "append": [*_LOST, *_DID_NOTHING, *_REFUSED, *_LATE * 15],
    "create": [*_LOST, *_DID_NOTHING, *_LATE],
    "read": [*_LOST, *_DID_NOTHING],
    "delete": [*_LOST, *_DID_NOTHING],
    "list": _LOST,
    "token": _statuses(500),
}
# What only a dialect with counts can notice.
COUNTED = {
    "append": _each("accept_fewer", {"rows": 0}, {"rows": 1}),
    "read": _each("short_page", {"rows": 1}) + _each("empty_page") + _each("repeat_page"),
}


@st.composite
def fault(draw, mode, counted):
    operation = draw(st.sampled_from(["append", "append", "append", "read", "delete", "create", "list", "token"]))
    choices = FAULTS[operation] + (COUNTED.get(operation, []) if counted else [])
    if operation == "delete" and mode == "stamp":
        # By key, a delete that comes late would take the row that was sent meanwhile.
        choices = choices + _LATE
    kind, options = draw(st.sampled_from(choices))
    return kind, {"operation": operation, "nth": draw(st.integers(1, 5)), "times": draw(st.integers(1, 2)), **options}


def rows_in(ranges):
    return [row for start, stop in ranges for row in range(start, stop)]


class Writes(RuleBasedStateMachine):
    """One write, and the same call made again and again until it is done."""

    sandbox: Any
    open_session: Any
    folder: Path

    def __init__(self):
        super().__init__()
        self.token: Any = None
        self.receipt: Any = None
        self.over: Exception | None = None

    @initialize(data=st.data())
    def begin(self, data):
        self.data = data
        draw = data.draw
        self.version = draw(st.sampled_from(["2025.3", "unversioned"]))
        self.mode = draw(st.sampled_from(["raise", "stamp", "on", "check"]))
        self.table = f"T {uuid.uuid4()}"
        self.session = self.open_session(self.sandbox, self.version)
        rows = draw(st.integers(1, 30))
        equal = self.mode != "on" and draw(st.booleans())
        numbers = [row // 2 for row in range(rows)] if equal else list(range(rows))
        self.frame = pd.DataFrame({"n": numbers, "t": [f"row {n % 3}" for n in numbers]})
        self.numbers = numbers
        self.before: Counter[int] = Counter()
        self.append = draw(st.booleans())
        stamp = {"stamp": "mark"} if self.mode == "stamp" else {}
        if self.append:
            there = [*range(-draw(st.integers(0, 12)), 0)]
            if self.mode != "on":
                # Rows that equal some of the frame's.
                there += numbers[: draw(st.integers(0, 5))]
            before = pd.DataFrame({"n": there, "t": [f"row {n % 3}" for n in there]}).astype({"n": "int64", "t": "str"})
            types = {"n": "number", "t": "text"}
            # Not remembered, because some of the rows are sent again.
            before.clicdata.push(self.table, column_types=types, journal=False, session=self.session, **stamp)
            self.before = Counter(there)
        self.options = {
            "chunksize": draw(st.integers(1, 8)),
            "workers": draw(st.sampled_from([1, 3])),
            "reconcile_wait": SETTLE,
            "verify": draw(st.booleans()),
            "session": self.session,
            **stamp,
            **({"on": "n"} if self.mode == "on" else {}),
        }
        self.journal = self.folder / f"{uuid.uuid4()}.push" if draw(st.booleans()) else None
        self.checked = self.mode == "check"

    def call(self, **options):
        where = {"journal": self.journal} if self.journal else {"resume": json.loads(json.dumps(self.token))}
        write = self.frame.clicdata.append if self.append else self.frame.clicdata.push
        return write(self.table, **{**self.options, **where, **options})

    def there(self, stale=()):
        try:
            rows = self.sandbox.ledger.rows(self.table)
        except LookupError:
            return Counter()
        return Counter(row["n"] for row in rows if row.get("mark") not in stale)

    def of(self, ranges):
        return Counter(self.numbers[row] for row in rows_in(ranges))

    def check_token(self):
        """Check that the table has the confirmed rows, and beside them only unknown rows."""
        told = self.token or {"confirmed": [], "unknown": [], "resent": [], "stale": []}
        there = self.there(told["stale"])
        surely = self.before + self.of(told["confirmed"])
        perhaps: Counter[int] = sum((self.of(each["ranges"]) for each in told["unknown"]), Counter())
        assert surely <= there, f"said to be there: {surely - there}"
        # Every try of a row that was sent again may come late.
        late = set(self.of(told["resent"])) if self.mode == "on" or self.checked else set()
        assert set(there - surely - perhaps) <= late, f"there unknown to us: {there - surely - perhaps}"

    def check_error(self, error):
        assert type(error) in (cd.IncompleteWriteError, cd.AmbiguousWriteError, cd.PartialWriteError)
        confirmed, unknown, unsent = map(rows_in, (error.confirmed, error.unknown, error.unsent))
        assert sorted(confirmed + unknown + unsent) == list(range(len(self.numbers)))
        assert error.ambiguous == bool(unknown) or error.operation == "create"
        self.token = error.resume
        for pair in error.confirmed:
            assert set(range(*pair)) <= set(rows_in(self.token["confirmed"]))
        # What was taken for lost may still come.
        lost = set(rows_in(self.token["resent"])) - set(rows_in(self.token["confirmed"]))
        assert set(unknown) == lost.union(*(rows_in(each["ranges"]) for each in self.token["unknown"]))
        self.check_token()

    @rule(
        interrupt=st.none() | st.integers(1, 4),
        release=st.sampled_from([None, 1, 2, 4, "end", "end", "end"]),
        on_unknown=st.sampled_from(["raise", "check"]),
    )
    def go(self, interrupt, release, on_unknown):
        faults = self.data.draw(st.lists(fault(self.mode, self.version != "unversioned"), max_size=4))
        # No precondition: with several workers chance decides when it is done, and hypothesis would find that flaky.
        if self.receipt or self.over:
            return
        for kind, options in faults:
            self.sandbox.faults.script(kind, **options)
        calls = 0

        def progress(done, total):
            nonlocal calls
            calls += 1
            assert done <= total == len(self.numbers)
            if calls == release or (release == "end" and done == total):
                self.sandbox.faults.release()
            if calls == interrupt:
                raise KeyboardInterrupt

        if self.mode == "check" or (self.mode == "raise" and (self.token or {}).get("resent")):
            # What was sent again by content is looked at by content in the end, and nothing else is taken.
            on_unknown = "check"
        self.checked = self.checked or on_unknown == "check"
        self.attempt(progress=progress, on_unknown=on_unknown)

    @rule()
    def come_late(self):
        self.sandbox.faults.release()
        if not (self.receipt or self.over):
            self.check_token()

    def attempt(self, **options):
        try:
            receipt = self.call(**options)
        except cd.VerificationError as error:
            self.check_doubled(error)
        except cd.IncompleteWriteError as error:
            self.check_error(error)
        except KeyboardInterrupt as stop:
            self.check_error(stop.__cause__)
        except ValueError:
            # A table that is there, keys that are there, a token that is another's: none of that is so.
            raise
        except cd.ClicDataError:
            # Before the first row went, or before the next.
            self.check_token()
        else:
            self.check_done(receipt)
        finally:
            self.sandbox.faults.clear()

    def check_doubled(self, error):
        """Only by content is a row sent again while its first try may still come."""
        assert self.checked
        assert self.mode in ("raise", "check")
        event("came late, and was said to be there twice")
        self.over = error
        frame = Counter(self.numbers)
        assert self.before + frame <= self.there()
        surplus = self.there() - self.before - frame
        assert surplus
        assert set(surplus) <= set(self.of(error.unknown) if error.unknown else frame)

    def check_done(self, receipt):
        self.receipt, self.late = receipt, self.sandbox.faults.held
        event(f"done: {self.mode}{', late commits left' if self.late else ''}")
        assert (receipt.rows, receipt.sent) == (len(self.numbers), len(self.numbers))
        assert receipt.confirmed <= receipt.sent
        assert receipt.status == "verified" or not self.options["verify"]
        assert self.there() == self.before + Counter(self.numbers)
        if self.journal:
            self.sandbox.requests.clear()
            again = self.call()
            assert "Nothing was sent" in again.notes[0]
            assert len(self.sandbox.requests) == 0
            assert (again.sent, again.batches, again.retries) == (receipt.sent, receipt.batches, receipt.retries)

    def teardown(self):
        try:
            if hasattr(self, "journal"):
                self.finish()
        finally:
            self.sandbox.faults.clear()
            self.sandbox.faults.release()
            if hasattr(self, "session"):
                self.session.close()

    def finish(self):
        """Without faults it comes to its end, unless only somebody who knows the table can tell."""
        if not (self.receipt or self.over):
            self.checked = True
            # A new session, for one that could not renew its token does not ask again at once.
            with self.open_session(self.sandbox, self.version) as session:
                self.attempt(on_unknown="check", session=session)
        if not (self.receipt or self.over):
            event("ended by an error that says what is not known")
            # Begun without a look at what was there before, so that equal rows tell nothing.
            assert self.append
            assert self.mode == "raise"
            assert self.token["unknown"]
            assert self.token["unsent"] == []
        self.sandbox.faults.release()
        if self.receipt:
            there = self.there(self.receipt.stale_stamps)
            frame = self.before + Counter(self.numbers)
            assert frame <= there
            if not self.late or self.mode == "stamp" or not (self.checked or self.mode == "on"):
                assert there == frame


# The few runs are the same each time, but for the threads. The 900 are drawn anew, in parts that several workers share.
@pytest.mark.parametrize(
    ("runs", "part"), [(15, 0), *(pytest.param(150, part, marks=pytest.mark.slow) for part in range(6))]
)
def test_a_write_under_random_faults_stops_and_resumes(runs, part, new_sandbox, open_session, tmp_path):
    with new_sandbox(page_size=PAGE) as sandbox:
        its = {"sandbox": sandbox, "folder": tmp_path, "open_session": staticmethod(open_session)}
        machine = type("Machine", (Writes,), its)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=runs < 100,
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                phases=[Phase.explicit, Phase.reuse, Phase.generate],
            ),
        )
