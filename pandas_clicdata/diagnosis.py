"""Examine the service of an account: the doctor finds out what is not documented, and reports it."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

from pandas_clicdata import read
from pandas_clicdata._config import DEFAULT_BASE_URL
from pandas_clicdata._display import Tone, badge, muted, paragraph, sentence, table_html, text_html, view
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import ROW_ID_TYPES, ColumnType, Request
from pandas_clicdata._version import __version__
from pandas_clicdata.client import operations
from pandas_clicdata.client.dialects import KNOWN_VERSIONS, version_key
from pandas_clicdata.client.replies import VERSION_CODES, ParsedReply, integer
from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    RedirectError,
    printable,
)
from pandas_clicdata.session import resolve_session
from pandas_clicdata.write.append import append
from pandas_clicdata.write.fingerprint import canonical

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

logger: logging.Logger = logging.getLogger(__name__)

Verdict: TypeAlias = Literal["as assumed", "differs", "not found out"]

SCRATCH = "pandas-clicdata doctor"
"""The name of the table that the doctor writes to."""
_VERSIONS = ("2025.4", *KNOWN_VERSIONS[:1], "2024.1", *KNOWN_VERSIONS[1:])
_NO_TABLE = 999_999_999_999_999
_TABLES_EXAMINED = 3
_FULL_PAGING = {
    "result_count", "result_total_count", "current_page", "page_size", "has_more_results", "last_page",
}  # fmt: skip
_MINIMAL_PAGING = {"result_count", "current_page", "has_more_results"}
_REFUSED = frozenset({200, 201, 202, 204, 400, 404, 405, 409, 413, 415, 422})
_TAKEN = re.compile(r"exist|taken|unique|duplicate|already", re.IGNORECASE)
_ROW_LIMIT = 500
_MANY_ROWS = 2_000
_STALE = timedelta(hours=1)
_DATE_FORMS = {
    "space": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"),
    "iso_offset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)"),
}


@dataclass(frozen=True)
class Question:
    """Something that is assumed about the service.

    Attributes
    ----------
    name : str
        The name of the assumption.
    expected : object
        What is assumed.
    asks : str
        How the doctor finds out.
    writes : bool
        Whether it has to write for that.
    """

    name: str
    expected: Any
    asks: str
    writes: bool = False


QUESTIONS: tuple[Question, ...] = (
    Question("sign-in", "accepted", "Signs in and requests the account."),
    Question("dialects", "any", "Requests the account without a version and in each version that is known."),
    Question("newest_version", "2025.4", "Requests the account in each version that is known."),
    Question("version_headers", True, "Looks for `api-supported-versions` in the replies."),
    Question("refusal_status", "status", "Requests a table that does not exist."),
    Question("account_usage", "nested", "Looks for lists and objects in the unversioned account."),
    Question("account_domain", "subdomain", "Looks for a point in the domain of the account."),
    Question("trailing_slashes", True, "Requests the list of tables with a slash at the end of the path."),
    Question("list of tables", "complete", "Reads the list of tables and compares its length with the stated total."),
    Question("pagination", "full", "Looks at the pagination of versioned lists and pages."),
    Question("column_metadata", True, "Looks for the columns beside the rows of a table."),
    Question("row_id", None, "Looks for a column with a row id in the tables, or in the table of the doctor."),
    Question("datetime_form", "space", "Looks at datetimes that it reads, or has written."),
    Question("page past the end", "empty", "Requests page 1,000,000 of a table with rows."),
    Question("single_schedule", "list", "Requests the first schedule by itself."),
    Question("users", "licensed", "Looks for a licence in the list of users."),
    Question("created_as", "integer", "Creates its table in the versioned dialect.", writes=True),
    Question("row_id_in_create", True, "Creates its table with a column of the type `id`.", writes=True),
    Question("name_case", "insensitive", "Creates a table whose name differs from that of its table in case.", True),
    Question("insert_counts", True, "Looks for `rows_inserted` in the reply to a versioned insert.", writes=True),
    Question("row_order", "insertion", "Inserts rows with two requests and reads them.", writes=True),
    Question("row_limit", "insert", "Inserts 501 rows at once, in each way that it knows.", writes=True),
    Question("rows_per_insert", _ROW_LIMIT, "Inserts 501 and 2,000 rows with a versioned insert.", writes=True),
    *(
        Question(f"{name} values", "exact", f"Writes edge values of the type {name} and reads them.", writes=True)
        for name in ("text", "number", "percentage", "checkbox", "date", "datetime", "dropdown")
    ),
    Question(
        "naive and zoned datetimes", "same instant", "Appends the same instant with and without a time zone.", True
    ),
    Question("value_conversion", "lenient", "Inserts a number as text, a text as number, and 1 as checkbox.", True),
    Question("refused_rows", "request", "Inserts a good row and a row whose date is none at once.", writes=True),
    Question("duplicate_rows", "kept", "Inserts a row twice in one request.", writes=True),
    Question("update_key", "data", "Updates a row with the new values under `data`, another under `update`.", True),
    Question("unknown_update_key", "refused", "Updates a row with the new values under a key that is unknown.", True),
    Question("find_text", "exact", "Deletes by texts that differ in case, a space, an accent, or an emoji.", True),
    Question("find_numbers", "exact", "Deletes by a number that is equal only as a double.", writes=True),
    Question("find_datetimes", "exact", "Deletes by a datetime that differs in its fraction of a second.", True),
    Question("find_nulls", "match", "Deletes by a condition with null.", writes=True),
    Question("versions_kept", "all", "Counts the versions of its table after several changes.", writes=True),
    Question("refresh_without_source", "unchanged", "Refreshes its table, which has no source.", writes=True),
    Question("refresh_result", "success", "Looks at the result of that refresh.", writes=True),
)
"""What the doctor finds out, in this order."""


@dataclass(frozen=True)
class Finding:
    """What the doctor found out about one assumption.

    Attributes
    ----------
    assumption : str
        The name of the assumption, that of the switch in ``pandas_clicdata.sandbox.Assumptions`` where it has one.
    expected : object
        What is assumed.
    found : object
        What the doctor found; None if it was not found out, or nothing was found.
    verdict : {"as assumed", "differs", "not found out"}
        How they compare.
    """

    assumption: str
    expected: Any
    found: Any
    verdict: Verdict


@dataclass(frozen=True)
class DoctorReport:
    """What the service of an account does. It holds no credentials and no data of the account.

    Parameters
    ----------
    findings : tuple of Finding
        One for each assumption.
    notes : tuple of str
        Sentences about tables that remain, and what could not be examined.
    facts : dict of str to str
        The versions of this package, Python, pandas and pyarrow, the dialect, how the session signs in, and the date.

    See Also
    --------
    doctor : Makes the report.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> report = cd.doctor(cd.connect("sandbox"))
    >>> frame = report.to_frame().set_index("assumption")
    >>> frame.loc["pagination"].tolist()
    ['full', 'full', 'as assumed']
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, str]

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a frame.

        Returns
        -------
        DataFrame
            The columns ``assumption``, ``expected``, ``found`` and ``verdict``, with a row for each assumption.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> frame = cd.doctor(cd.connect("sandbox")).to_frame()
        >>> bool((frame["verdict"] == "differs").any())
        False
        """
        columns = ("assumption", "expected", "found", "verdict")
        return pd.DataFrame(
            {name: pd.Series([getattr(each, name) for each in self.findings], dtype=object) for name in columns}
        )

    def to_json(self) -> str:
        """Return the report as JSON, for a bug report.

        Returns
        -------
        str
            An object with ``facts``, ``findings`` and ``notes``.

        Examples
        --------
        >>> import json
        >>> import pandas_clicdata as cd
        >>> sorted(json.loads(cd.doctor(cd.connect("sandbox")).to_json()))
        ['facts', 'findings', 'notes']
        """
        content = {
            "facts": dict(self.facts),
            "findings": [vars(each) for each in self.findings],
            "notes": list(self.notes),
        }
        return json.dumps(content, indent=1)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("assumption", "expected", "found", "verdict")]
        rows += [(each.assumption, _text(each.expected), _found(each), each.verdict) for each in self.findings]
        widths = [max(len(row[at]) for row in rows) for at in range(4)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        return printable("\n".join([*facts, "", *table, *(["", *self.notes] if self.notes else [])]), keep="\n")

    def _repr_html_(self) -> str:
        counts = Counter(each.verdict for each in self.findings)
        summary = (badge(f"{counts[each]:,} {each}", tone) for each, tone in _TONES.items() if counts[each])
        rows = [
            [*map(text_html, (each.assumption, _text(each.expected), _found(each))), _marked(each.verdict)]
            for each in self.findings
        ]
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return view(
            paragraph("<b>ClicData doctor</b>", *summary),
            paragraph(muted(facts)),
            *map(sentence, self.notes),
            table_html(("assumption", "expected", "found", "verdict"), rows),
        )


_TONES: Mapping[Verdict, Tone] = {"differs": "careful", "as assumed": "good", "not found out": "plain"}


def _marked(verdict: Verdict) -> str:
    return badge(verdict, "careful") if verdict == "differs" else muted(verdict)


def _text(value: object) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)


def _found(finding: Finding) -> str:
    return "" if finding.verdict == "not found out" else _text(finding.found)


@shown_briefly
def doctor(session: Session | None = None, write: bool = False) -> DoctorReport:
    """Find out what the service of an account does where its API is not documented.

    What is found out is kept in the service profile of the account, which its sessions use for 90 days.

    Parameters
    ----------
    session : Session, optional
        The account. Default: the default session.
    write : bool, default False
        Whether to write, too. False: the doctor only reads. True: it creates the table ``pandas-clicdata doctor``, or
        uses the one from last time, and inserts, updates and deletes rows in it. Most assumptions need that. At the
        end, it deletes its rows. The API has no way to delete the empty table. If ClicData distinguishes table names by
        case, a second empty table remains, ``PANDAS-CLICDATA DOCTOR``.

    Returns
    -------
    DoctorReport
        A finding for each assumption; a table in a notebook. ``print(report)`` shows it as text, ``report.to_json()``
        is for a bug report, and ``report.to_frame()`` for further use.

    Raises
    ------
    AuthenticationError
        ClicData refuses the credentials.
    TransportError
        ClicData cannot be reached.

    See Also
    --------
    connect : Sign in. ``service_profile=`` is the file of the service profile.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> report = cd.doctor(cd.connect("sandbox"), write=True)
    >>> frame = report.to_frame().set_index("assumption")
    >>> frame.loc["update_key", "found"]
    'data'
    """
    if not isinstance(write, bool):
        raise TypeError(f"write= must be True or False, not {write!r}.")
    examination = _Examination(resolve_session(session))
    examination.read()
    if write:
        examination.write()
    return examination.report(write)


@dataclass(frozen=True)
class _Answer:
    """A reply, with its result unwrapped."""

    parsed: ParsedReply

    @property
    def code(self) -> str:
        """The code of the error; empty if there is none."""
        code, description = self.parsed.error()
        return (code or description or "") if code or description or self.parsed.reply.status >= 400 else ""

    @property
    def ok(self) -> bool:
        """Whether the reply states success."""
        return self.parsed.reply.status < 400 and self.parsed.error() == (None, None)

    @property
    def refused(self) -> bool:
        """Whether the service refuses this very request, not the session, the rate, or any request."""
        return not self.ok and self.parsed.reply.status in _REFUSED

    def decided(self) -> _Answer:
        """Return the answer, if it shows what the service does with the request.

        Raises
        ------
        ApiError
            It is refused for another reason.
        """
        if not self.ok and not self.refused:
            self.parsed.raise_for_error()
        return self

    @property
    def is_versioned(self) -> bool:
        """Whether the reply is in the versioned dialect, and the version is known."""
        return self.parsed.is_wrapped and self.code.lower() not in VERSION_CODES

    @property
    def result(self) -> Any:
        """The content, without the versioned dialect around it."""
        content = self.parsed.content
        return content.get("result") if self.parsed.is_wrapped and isinstance(content, dict) else content

    @property
    def pagination(self) -> Mapping[str, Any]:
        """The pagination; empty without one."""
        content = self.parsed.content
        found = content.get("pagination") if isinstance(content, dict) else None
        return found if isinstance(found, dict) else {}


_COLUMNS: Mapping[str, str] = {
    "run": "text", "label": "text", "text": "text", "number": "number", "percentage": "percentage",
    "checkbox": "checkbox", "date": "date", "datetime": "datetime", "zoned": "datetime", "dropdown": "dropdown",
}  # fmt: skip
_ROW_NUMBER = "number of the row"
_EDGE_VALUES: Mapping[str, Sequence[Any]] = {
    "text": ["", " x ", "Zürich \N{ROCKET}", "00123", 'say "hi"\n\t\\', "x" * 4_000],
    "number": [0, -1, 2**53 + 1, 0.1, 1e300, 1e-300, Decimal("0.123456789012345678901234567890")],
    "percentage": [0.25, 1, 0.123456789],
    "checkbox": [True, False],
    "date": ["0001-01-01", "1900-02-28", "2024-02-29", "9999-12-31"],
    "datetime": [
        "2024-02-29 23:59:59", "2024-02-29 23:59:59.000001", "1900-01-01 00:00:00", "9999-12-31 23:59:59.999999",
    ],
    "dropdown": ["one", "two words"],
}  # fmt: skip
_INSTANT = "2024-07-01 10:00:00"
Cells: TypeAlias = Mapping[str, Any]


class _Examination:
    """One examination of an account."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._client = session._client
        self._found: dict[str, Any] = {}
        self._notes: list[str] = []
        self._unversioned = False
        self._versions: list[str] = []
        self._headers = False
        self._run = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {secrets.token_hex(4)}"
        self._scratch = 0
        self._scratch_has_row_number = False
        self._inserts = False

    # requests

    def _ask(
        self,
        line: str,
        rec_id: int | None = None,
        *,
        version: str | None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> _Answer:
        method, path = line.split()
        pairs = {**(params or {}), **({} if version is None else {"api_version": version})}
        answer = _Answer(
            self._client.reply_to(
                Request(
                    operation="doctor",
                    method=method,
                    path=path.replace("{id}", str(rec_id)),
                    params=tuple(pairs.items()),
                    body=body,
                    repeatable=method == "GET",
                )
            )
        )
        self._headers |= "api-supported-versions" in answer.parsed.reply.headers
        return answer

    @cached_property
    def _version(self) -> str | None:
        """The version in which to ask: the newest one that public clients use; None for the unversioned dialect.

        What is found out must be about the dialect that the session uses.
        """
        if self._client.dialect.kind == "unversioned":
            return None
        known = [version for version in self._versions if version in KNOWN_VERSIONS]
        return next(iter(known or self._versions), None)

    def _reaches(self, version: str) -> bool:
        return self._version is not None and version_key(self._version) >= version_key(version)

    def _try(self, *steps: Callable[[], None]) -> None:
        """Carry out each step; a step that fails leaves its questions unanswered."""
        for step in steps:
            try:
                step()
            except AuthenticationError:
                raise
            except (ClicDataError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as exc:
                # Without its message, which may quote a reply.
                status = getattr(exc, "status", None)
                why = type(exc).__name__ if status is None else f"{type(exc).__name__}, HTTP {status}"
                self._notes.append(f"Not examined to the end: {step.__name__.strip('_').replace('_', ' ')} ({why}).")

    # reading

    def read(self) -> None:
        """Examine what needs no write."""
        self._account()
        self._try(
            self._list_of_tables, self._refusals, self._slashes, self._tables, self._schedules, self._users,
        )  # fmt: skip
        if self._versions:
            self._found["version_headers"] = self._headers

    def _account(self) -> None:
        first = self._ask("GET /account", version=None)
        if first.parsed.reply.status == 401:
            first.parsed.raise_for_error()
        # Also where the account may not be read, the form of the reply shows the dialect.
        self._unversioned = not first.parsed.is_wrapped and first.code.lower() not in VERSION_CODES
        if first.parsed.reply.status >= 500 or first.parsed.invalid:
            first.parsed.raise_for_error()
        accounts = [first]
        for version in _VERSIONS:
            answer = self._ask("GET /account", version=version)
            if answer.is_versioned:
                self._versions.append(version)
                accounts.append(answer)
        self._found["sign-in"] = "accepted"
        names = (["versioned"] if self._versions else []) + (["unversioned"] if self._unversioned else [])
        self._found["dialects"] = " and ".join(names) or "none"
        if self._versions:
            self._found["newest_version"] = self._versions[0]
        domains = [
            answer.result["domain"]
            for answer in accounts
            if answer.ok and isinstance(answer.result, dict) and isinstance(answer.result.get("domain"), str)
        ]
        if domains:
            self._found["account_domain"] = "host" if "." in domains[0] else "subdomain"
        if self._unversioned and first.ok and isinstance(first.result, dict):
            nested = any(isinstance(value, list | dict) for value in first.result.values())
            self._found["account_usage"] = "nested" if nested else "flat"

    def _refusals(self) -> None:
        answer = self._ask("GET /data/{id}", _NO_TABLE, version=self._version, params={"page": "1"})
        if answer.refused:
            self._found["refusal_status"] = "status" if answer.parsed.reply.status >= 400 else "ok"

    def _slashes(self) -> None:
        line = "GET /data/" if self._unversioned or not self._reaches("2025.3") else "GET /table/"
        version = None if self._unversioned else self._version
        if not self._ask(line.rstrip("/"), version=version).ok:
            return
        try:
            self._found["trailing_slashes"] = self._ask(line, version=version).decided().ok
        except RedirectError:
            self._found["trailing_slashes"] = False

    @cached_property
    def _listed(self) -> Sequence[Any]:
        return list(self._client.list_tables())

    def _list_of_tables(self) -> None:
        if self._version is not None:
            line = "GET /table" if self._reaches("2025.3") else "GET /data"
            self._look_at_pagination(self._ask(line, version=self._version, params={"page": "1", "page_size": "100"}))
        # Raises if it is not complete.
        _ = self._listed
        self._found["list of tables"] = "complete"

    def _look_at_pagination(self, answer: _Answer) -> None:
        paging = set(answer.pagination)
        if paging:
            forms = {"full": _FULL_PAGING, "minimal": _MINIMAL_PAGING, "bare": {"last_page"}}
            named = (name for name, fields in forms.items() if fields == paging)
            self._found["pagination"] = next(named, ", ".join(sorted(paging)))

    def _tables(self) -> None:
        """Look at the first pages of some tables of the account."""
        row_ids: list[str | None] = []
        for table in self._listed[:_TABLES_EXAMINED]:
            answer = self._ask("GET /data/{id}", table.rec_id, version=self._version, params={"page": "1"})
            if not answer.ok:
                continue
            with contextlib.suppress(ClicDataError):
                self._look_at_page(answer, row_ids, is_own=table.name == SCRATCH)
            if "page past the end" not in self._found and answer.parsed.content and _rows_of(answer):
                past = self._ask("GET /data/{id}", table.rec_id, version=self._version, params={"page": "1000000"})
                past.decided()
                self._found["page past the end"] = (
                    "refused" if not past.ok else "has rows" if _rows_of(past) else "empty"
                )
        if row_ids:
            self._found["row_id"] = row_ids[0] if len(set(row_ids)) == 1 else None

    def _look_at_page(self, answer: _Answer, row_ids: list[str | None], *, is_own: bool) -> None:
        self._look_at_pagination(answer)
        result = answer.result
        columns = result.get("columns") if isinstance(result, dict) else None
        self._found["column_metadata"] = isinstance(columns, list)
        rows = _rows_of(answer)
        if isinstance(columns, list):
            types = {each.get("name"): str(each.get("data_type")).lower() for each in columns if isinstance(each, dict)}
        else:
            known = _COLUMNS if is_own else {}
            types = {name: name if name in ROW_ID_TYPES else known.get(name, "") for name in (rows[0] if rows else {})}
        if types:
            own = {_ROW_NUMBER} if is_own else set()
            row_ids.append(
                next((kind for name, kind in types.items() if kind in ROW_ID_TYPES and name not in own), None)
            )
        for row in rows:
            for name, value in row.items():
                if types.get(name) == "datetime" and isinstance(value, str) and "datetime_form" not in self._found:
                    self._found["datetime_form"] = _form_of(value)

    def _schedules(self) -> None:
        first = next(iter(self._client.schedules(1).records), None)
        rec_id = None if first is None else integer(first.get("rec_id", first.get("id")))
        if rec_id is None:
            return
        answer = self._ask("GET /schedule/{id}", rec_id, version=self._version)
        if answer.ok:
            found = answer.result.get("schedules") if isinstance(answer.result, dict) else answer.result
            self._found["single_schedule"] = "list" if isinstance(found, list) else "object"

    def _users(self) -> None:
        users = self._client.users(1).records
        if users:
            licensed = any(name in user for user in users for name in ("licence", "license"))
            self._found["users"] = "licensed" if licensed else "plain"

    # writing

    def write(self) -> None:
        """Examine what needs a write, in a table of the doctor's own."""
        self._try(self._open_scratch)
        if not self._scratch:
            self._notes.append(f"Nothing was written, because the table {SCRATCH!r} cannot be used.")
            return
        try:
            self._try(self._two_inserts)
            if not self._inserts:
                self._notes.append("The rows that were inserted were not found, so nothing else was written.")
                return
            self._try(
                self._edge_values, self._instants, self._conversions, self._refused_rows,
                self._duplicate_rows, self._updates, self._conditions, self._limits, self._kept_versions, self._clean,
                self._refresh, self._name_case,
            )  # fmt: skip
        finally:
            self._try(self._clean)
        self._notes.append(f"The table {SCRATCH!r} (RecId {self._scratch}) remains. Delete it in ClicData if you like.")

    def _open_scratch(self) -> None:
        """Find the table of the doctor, or create it. If the table of this name is another one, use none."""
        known = next((table for table in self._listed if table.name == SCRATCH), None)
        if known is None:
            self._create_scratch()
            return
        self._scratch = known.rec_id
        rows = self._rows(everything=True)
        answer = self._ask("GET /data/{id}", self._scratch, version=self._version, params={"page": "1"}).decided()
        columns = answer.result.get("columns") if isinstance(answer.result, dict) else None
        names = {each.get("name") for each in columns} if isinstance(columns, list) else set(rows[0] if rows else {})
        self._scratch_has_row_number = _ROW_NUMBER in names
        if names and not names >= _COLUMNS.keys():
            self._scratch = 0
            self._notes.append(
                f"The table {SCRATCH!r} was not made by this version of the doctor. Rename or delete it in ClicData."
            )
            return
        # Rows of a doctor that was stopped.
        for run in {str(row["run"]) for row in rows if _is_stale(row.get("run"))}:
            self._delete({"run": run})

    def _create_scratch(self) -> None:
        columns = [{"name": name, "data_type": data_type} for name, data_type in _COLUMNS.items()]
        numbered = [*columns, {"name": _ROW_NUMBER, "data_type": "id"}]
        logger.info("The doctor creates the table %r.", SCRATCH)
        for wanted in (numbered, columns):
            answer = self._create(SCRATCH, wanted).decided()
            rec_id = answer.result.get("id") if isinstance(answer.result, dict) else answer.result
            if not answer.ok or integer(rec_id) is None:
                continue
            # A RecId that is another number in the reply would be another table of the account.
            own = self._client.find_by_name(SCRATCH)
            if own is None or own.rec_id != integer(rec_id):
                answer.parsed.unexpected("the list of tables shows no new table with this RecId")
            self._scratch = own.rec_id
            self._found["row_id_in_create"] = self._scratch_has_row_number = wanted is numbered
            if self._version is not None:
                self._found["created_as"] = "object" if isinstance(answer.result, dict) else "integer"
            return
        answer.parsed.raise_for_error()
        answer.parsed.unexpected("it is not the new RecId")

    def _create(self, name: str, columns: Sequence[Mapping[str, str]]) -> _Answer:
        content = {"name": name, "description": "Made by pandas_clicdata; holds no data.", "columns": columns}
        return self._ask("POST /data", version=self._version, body=operations.dumps(content))

    def _name_case(self) -> None:
        # Last, because it may create a second table, and a service may refuse further tables.
        other = SCRATCH.upper()
        if not any(table.name == other for table in self._listed):
            answer = self._create(other, [{"name": "run", "data_type": "text"}])
            if not answer.ok:
                code, description = answer.parsed.error()
                if answer.parsed.reply.status == 409 or _TAKEN.search(f"{code} {description}"):
                    self._found["name_case"] = "insensitive"
                return
        self._found["name_case"] = "sensitive"
        self._notes.append(f"The table {other!r} remains, too, because ClicData distinguishes names by case.")

    # rows

    def _insert(self, rows: Sequence[Cells], *, by_cells: bool = False) -> _Answer:
        """Insert rows in one request, as objects where the service has that."""
        rows = [{"run": self._run, **row} for row in rows]
        if self._reaches("2022.01") and not by_cells:
            objects = [b",".join(_json(name) + b":" + _json(value) for name, value in row.items()) for row in rows]
            body = b",".join(b"{" + each + b"}" for each in objects)
            return self._ask(
                "POST /data/{id}/insert", self._scratch, version=self._version, body=operations.rows_body(body)
            )
        body = operations.rows_body(b",".join(_cells(row) for row in rows))
        if self._unversioned:
            return self._ask("POST /data/{id}/row", self._scratch, version=None, body=body)
        return self._ask("POST /table/{id}", self._scratch, version=self._version, body=body)

    def _delete(self, find: Cells) -> _Answer:
        body = operations.delete(_cells(find), "all")
        return self._ask("DELETE /data/{id}/row", self._scratch, version=self._version, body=body)

    def _rows(self, *label: str, everything: bool = False) -> list[Mapping[str, Any]]:
        """Return the rows of this run, with one of these labels if any are given; or all rows of the table."""
        with closing(read.pages(self._client, self._scratch, repeated_pages="accept")) as pages:
            rows = [row for page in pages for row in page]
        if everything:
            return rows
        return [row for row in rows if row.get("run") == self._run and (not label or row.get("label") in label)]

    # what is written

    def _two_inserts(self) -> None:
        first = self._insert([{"label": f"order {at}", "datetime": _INSTANT} for at in range(2)])
        self._insert([{"label": f"order {at}", "datetime": _INSTANT} for at in range(2, 4)])
        if self._reaches("2022.01") and first.ok:
            self._found["insert_counts"] = isinstance(first.result, dict) and "rows_inserted" in first.result
        answer = self._ask("GET /data/{id}", self._scratch, version=self._version, params={"page": "1"}).decided()
        row_ids: list[str | None] = []
        self._look_at_page(answer, row_ids, is_own=True)
        if row_ids and ("row_id" not in self._found or not self._scratch_has_row_number):
            self._found["row_id"] = row_ids[0]
        labels = [str(row["label"]) for row in self._rows() if str(row.get("label")).startswith("order ")]
        orders = {"insertion": [0, 1, 2, 3], "newest_first": [3, 2, 1, 0]}
        numbers = [int(label.split()[1]) for label in labels]
        self._inserts = len(numbers) == 4
        if self._inserts:
            self._found["row_order"] = next((name for name, order in orders.items() if order == numbers), str(numbers))

    def _edge_values(self) -> None:
        for column, values in _EDGE_VALUES.items():
            rows = [{"label": f"edge {column} {at}", column: value} for at, value in enumerate(values)]
            answer = self._insert(rows)
            if answer.decided().refused:
                for each in rows:
                    self._insert([each])
        found = {row.get("label"): row for row in self._rows()}
        for column, values in _EDGE_VALUES.items():
            data_type = ColumnType(column)
            wrong = []
            for at, value in enumerate(values):
                row = found.get(f"edge {column} {at}")
                returned = None if row is None else row.get(column)
                if row is None or canonical([returned], data_type) != canonical([value], data_type):
                    shown = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:20]}…"
                    wrong.append(f"{shown} is {'refused' if row is None else repr(returned)[:40]}")
            self._found[f"{column} values"] = "; ".join(wrong) or "exact"

    def _instants(self) -> None:
        zoned = pd.Timestamp("2024-07-01 12:00:00+02:00")
        rows = pa.table(
            {
                "run": [self._run], "label": ["instant"],
                "datetime": pa.array([datetime(2024, 7, 1, 10)], pa.timestamp("us")),
                "zoned": pa.array([zoned.to_pydatetime()], pa.timestamp("us", "UTC")),
                **{name: pa.array([None], pa.string()) for name in ("text", "dropdown")},
                **{name: pa.array([None], pa.float64()) for name in ("number", "percentage")},
                "checkbox": pa.array([None], pa.bool_()), "date": pa.array([None], pa.date32()),
            }
        )  # fmt: skip
        types = {name: _COLUMNS[name] for name in ("percentage", "dropdown")}
        if self._scratch_has_row_number and not self._found.get("column_metadata"):
            # The client cannot know that the service fills this column.
            rows = rows.append_column(_ROW_NUMBER, pa.array([None], pa.string()))
        # Through the client, because it is the client that converts a time zone.
        append(
            rows,
            self._scratch,
            column_types=types,
            journal=False,
            resume=False,
            session=self._session,
        )
        row = next(iter(self._rows("instant")), None)
        if row is not None:
            values = [row.get("datetime"), row.get("zoned")]
            same = canonical(values, ColumnType.DATETIME) == [_INSTANT, _INSTANT]
            self._found["naive and zoned datetimes"] = "same instant" if same else f"{values[0]!r} and {values[1]!r}"

    def _conversions(self) -> None:
        cases: Sequence[Cells] = [
            {"label": "convert text", "text": 7}, {"label": "convert number", "number": "3"},
            {"label": "convert checkbox", "checkbox": 1},
        ]  # fmt: skip
        for cells in cases:
            self._insert([cells]).decided()
        # What counts is what is stored, because a service may leave out a row without an error.
        stored = [str(row["label"]).split()[1] for row in self._rows(*(cells["label"] for cells in cases))]
        names = {3: "lenient", 0: "strict"}
        self._found["value_conversion"] = names.get(len(stored), f"lenient for {' and '.join(sorted(stored))}")

    def _refused_rows(self) -> None:
        self._insert([{"label": "good"}, {"label": "bad", "date": "no date"}]).decided()
        stored = sorted(str(row["label"]) for row in self._rows("good", "bad"))
        names = {(): "request", ("good",): "row"}
        self._found["refused_rows"] = names.get(tuple(stored), f"stores {' and '.join(stored)}")

    def _duplicate_rows(self) -> None:
        self._insert([{"label": "twice", "number": 1}] * 2)
        count = len(self._rows("twice"))
        if count:
            self._found["duplicate_rows"] = {2: "kept", 1: "dropped"}.get(count, f"stored {count} times")

    def _updates(self) -> None:
        # The values differ, so that an update of all rows is not taken for one of its row.
        keys = {"data": 2, "update": 3, "doctor": 4}
        labels = [*(f"under {key}" for key in keys), "not updated"]
        self._insert([{"label": label, "number": 1, "text": "as before"} for label in labels])
        refused = set()
        for key, number in keys.items():
            find = _cells({"run": self._run, "label": f"under {key}"})
            body = operations.update(find, _cells({"number": number}), "all", key)  # type: ignore[arg-type]
            if self._ask("PUT /data/{id}/row", self._scratch, version=self._version, body=body).decided().refused:
                refused.add(key)
        rows = {str(row["label"]).removeprefix("under "): row for row in self._rows(*labels)}
        other = rows.pop("not updated", None)
        if other is None or rows.keys() != keys.keys():
            return
        if _after_update(other, 1) != "updated":
            self._notes.append("An update changed a row that does not match its condition.")
            self._found["update_key"] = "neither"
            return
        done = {key: _after_update(row, keys[key]) for key, row in rows.items()}
        taken = [key for key in ("data", "update") if done[key] == "updated"]
        if taken:
            self._found["update_key"] = "either" if len(taken) == 2 else taken[0]
        else:
            self._found["update_key"] = "neither"
        unknown = done["doctor"]
        self._found["unknown_update_key"] = (
            ("refused" if "doctor" in refused else "ignored") if unknown == "unchanged" else unknown
        )

    def _conditions(self) -> None:
        cases: Mapping[str, tuple[Cells, Cells]] = {
            # The cells of the row, and a condition that does not equal them exactly.
            "case": ({"text": "Doctor"}, {"text": "DOCTOR"}),
            "space": ({"text": "Doctor"}, {"text": "Doctor "}),
            "accent": ({"text": "Doctor"}, {"text": "D\N{LATIN SMALL LETTER O WITH DIAERESIS}ctor"}),
            "emoji": ({"text": "Doctor"}, {"text": "Doctor\N{ROCKET}"}),
            "number": ({"number": 2**53 + 1}, {"number": 2**53}),
            "seconds": ({"datetime": f"{_INSTANT}.500000"}, {"datetime": _INSTANT}),
            "null": ({"text": "Doctor"}, {"number": None}),
            "control": ({"text": "Doctor"}, {"text": "Doctor"}),
        }
        for name, (cells, _) in cases.items():
            self._insert([{"label": f"find {name}", **cells}])
        self._insert([{"label": "find nothing", "text": "Doctor"}])
        before = {str(row["label"]) for row in self._rows()}
        refused = set()
        for name, (_, find) in cases.items():
            if self._delete({"run": self._run, "label": f"find {name}", **find}).decided().refused:
                refused.add(name)
        after = {str(row["label"]) for row in self._rows()}
        gone = {name for name in cases if f"find {name}" in before - after}
        if "control" not in gone:
            self._notes.append("Rows that match a condition exactly were not deleted, so comparisons are not examined.")
            return
        if "find nothing" not in after:
            self._notes.append("A delete deleted a row that does not match its condition.")
            # In place of an older finding that conditions match exactly.
            self._found |= dict.fromkeys(("find_text", "find_numbers", "find_datetimes"), "ignores conditions")
            return
        ignored = [name for name in ("case", "space", "accent", "emoji") if name in gone]
        self._found["find_text"] = (
            "exact"
            if not ignored
            else "ignore_case"
            if {"case", "space"} <= gone
            else f"ignores {' and '.join(ignored)}"
        )
        self._found["find_numbers"] = "double" if "number" in gone else "exact"
        self._found["find_datetimes"] = "seconds" if "seconds" in gone else "exact"
        self._found["find_nulls"] = "match" if "null" in gone else "refused" if "null" in refused else "nothing"

    def _limits(self) -> None:
        by_name = self._takes(_ROW_LIMIT + 1, "one more") if self._reaches("2022.01") else None
        by_cells = self._takes(_ROW_LIMIT + 1, "one more by cells", by_cells=True)
        if by_cells is False:
            self._found["row_limit"] = "all"
        elif by_name is not None and by_cells:
            self._found["row_limit"] = "none" if by_name else "insert"
        if by_name is not None:
            many = by_name and self._takes(_MANY_ROWS, "many")
            self._found["rows_per_insert"] = _MANY_ROWS if many else _ROW_LIMIT + by_name

    def _takes(self, count: int, label: str, *, by_cells: bool = False) -> bool | None:
        """Return whether the service stores so many rows of one request; None if it does not have the request."""
        answer = self._insert([{"label": label, "number": at} for at in range(count)], by_cells=by_cells)
        if answer.decided().parsed.reply.status in (404, 405):
            return None
        stored = len(self._rows(label))
        if answer.ok and stored != count:
            self._notes.append(f"Of {count} rows in one request, {stored} were stored without an error.")
        return stored == count

    def _kept_versions(self) -> None:
        answer = self._ask("GET /data/{id}/versions", self._scratch, version=self._version)
        result = answer.result.get("versions") if isinstance(answer.result, dict) else answer.result
        if answer.ok and isinstance(result, list):
            # This run has changed the table at least so often.
            changes = 8
            self._found["versions_kept"] = "all" if len(result) >= changes else "capped" if result else "cleared"

    def _refresh(self) -> None:
        """Refresh the table, which has only one row now. A service may do anything with it."""
        if any(row.get("run") != self._run and not _is_stale(row.get("run")) for row in self._rows(everything=True)):
            self._notes.append(
                "The table has rows of another doctor, which started less than an hour ago, so it was not refreshed."
                " If that one was stopped, a run in an hour deletes its rows."
            )
            return
        self._insert([{"label": "refresh"}])
        if self._reaches("2025.3"):
            body = operations.dumps({"mode": "reload"})
            answer = self._ask("POST /table/{id}/refresh", self._scratch, version=self._version, body=body)
            if answer.ok:
                result = answer.result
                is_success = isinstance(result, dict) and result.get("success") is True
                self._found["refresh_result"] = "success" if is_success else "empty" if not result else "other"
        else:
            answer = self._ask("POST /data/{id}/rebuild", self._scratch, version=self._version)
        unchanged = len(self._rows("refresh")) == 1
        answer.decided()
        self._found["refresh_without_source"] = ("unchanged" if unchanged else "emptied") if answer.ok else "refused"

    def _clean(self) -> None:
        """Delete the rows of this run."""
        self._delete({"run": self._run})
        left = len(self._rows())
        if left:
            self._notes.append(f"{left:,} rows could not be deleted from the table {SCRATCH!r}.")

    # the report

    def report(self, wrote: bool) -> DoctorReport:
        """Return the report, and keep what was found in the service profile."""
        profile = self._client.service_profile
        facts_found = {name: value for name, value in self._found.items() if _is_fact(value)}
        is_kept = profile.learn(facts_found, self._client.dialect.kind)
        known = {**{name: fact.found for name, fact in profile.facts.items()}, **self._found}
        findings = []
        for question in QUESTIONS:
            found = known.get(question.name)
            verdict: Verdict = "not found out"
            if question.name in known:
                same = question.expected in (found, "any") and type(question.expected) is type(found)
                verdict = "as assumed" if same or question.expected == "any" else "differs"
            findings.append(Finding(question.name, question.expected, found, verdict))
        notes = list(self._notes)
        if not wrote and any(each.verdict == "not found out" for each in findings):
            notes.append("To find out more, with a table of the doctor's own: cd.doctor(write=True)")
        if is_kept:
            notes.append("The service profile of this account is updated; its sessions use it for 90 days.")
        elif not profile.in_memory:
            notes.append(
                "The service profile cannot be written, so only this session uses what was found. Pass the path of a"
                " file that can be written as service_profile=."
            )
        base_url = self._session.base_url
        facts = {
            "pandas_clicdata": __version__,
            "Python": platform.python_version(),
            "pandas": pd.__version__,
            "pyarrow": pa.__version__,
            "service": base_url if base_url == DEFAULT_BASE_URL else "another address",
            "session": f"{self._session.auth_method}, {self._client.dialect.name}",
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        }
        return DoctorReport(tuple(findings), tuple(dict.fromkeys(notes)), facts)


def _rows_of(answer: _Answer) -> Sequence[Mapping[str, Any]]:
    result = answer.result
    rows = result.get("data") if isinstance(result, dict) else result
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _form_of(text: str) -> str:
    form = next((name for name, pattern in _DATE_FORMS.items() if pattern.fullmatch(text)), None)
    # The form, without the value.
    return form or re.sub(r"[^\W\d]", "a", re.sub(r"\d", "9", text[:40]))


def _after_update(row: Mapping[str, Any], wanted: int) -> str:
    number, text = integer(row.get("number")), row.get("text")
    if text == "as before" and number in (wanted, 1):
        return "updated" if number == wanted else "unchanged"
    return "cleared" if text is None else "changed otherwise"


def _is_stale(run: object) -> bool:
    """Return whether the row belongs to a run that is over."""
    if not isinstance(run, str):
        return False
    try:
        started = datetime.fromisoformat(run.partition(" ")[0])
    except ValueError:
        return False
    return started.tzinfo is not None and started < datetime.now(UTC) - _STALE


def _is_fact(value: object) -> bool:
    return value is None or isinstance(value, str | int | bool)


def _json(value: object) -> bytes:
    return str(value).encode() if isinstance(value, Decimal) else operations.dumps(value)


def _cells(cells: Cells) -> bytes:
    pairs = [b'{"column":' + _json(name) + b',"value":' + _json(value) + b"}" for name, value in cells.items()]
    return b"[" + b",".join(pairs) + b"]"
