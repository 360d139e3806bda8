"""A handle to a sandbox that runs in another process, with the surface that `Sandbox` has."""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from pandas_clicdata.sandbox.app import MAX_BODY
from pandas_clicdata.sandbox.control import KEY_HEADER, LONGEST_WAIT, PREFIX
from pandas_clicdata.sandbox.faultscript import Fault, Scripting, make_fault, too_few_held
from pandas_clicdata.sandbox.ledger import exactly
from pandas_clicdata.sandbox.oauth import is_loopback
from pandas_clicdata.sandbox.requestlog import Entry
from pandas_clicdata.sandbox.seed import Seeding
from pandas_clicdata.sandbox.server import connect_to
from pandas_clicdata.sandbox.sources import as_bytes

_SECONDS = 60  # for a reply; a ledger may be long
_ERRORS: dict[int, type[Exception]] = {400: ValueError, 401: PermissionError, 404: LookupError}


class Wire:
    """Control requests to one sandbox, each on a connection of its own, so that threads need not share one."""

    def __init__(self) -> None:
        self._where: tuple[str, str] | None = None

    def reach(self, url: str, key: str) -> None:
        """Send to this address from now on."""
        self._where = url, key

    def leave(self) -> None:
        """Send nowhere from now on."""
        self._where = None

    @property
    def has_key(self) -> bool:
        """Whether the key can stand in a header."""
        key = self._where[1] if self._where else ""
        return bool(key) and key.isascii() and key.isprintable()

    @property
    def reached(self) -> bool:
        """Whether there is a sandbox to send to."""
        return self._where is not None

    @property
    def url(self) -> str:
        """The address; RuntimeError when there is no sandbox."""
        if self._where is None:
            raise RuntimeError("The sandbox is not running; call start() first.")
        return self._where[0]

    def __call__(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        parse: Callable[[bytes], Any] = json.loads,
    ) -> Any:
        """The reply; ValueError or LookupError where the sandbox would raise one in its own process."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
        failure: OSError | None = None
        try:
            connection.request(
                method,
                f"{PREFIX}{path}" + (f"?{urlencode(query)}" if query else ""),
                None if body is None else json.dumps(body).encode(),
                {KEY_HEADER: self._where[1] if self._where else "", "Connection": "close"},
            )
            reply = connection.getresponse()
            status, text = reply.status, reply.read()
        except OSError as exc:
            # Without the frames below, whose locals have the key.
            failure = exc.with_traceback(None)
        finally:
            connection.close()
        if failure is not None:
            raise failure
        try:
            said = parse(text)
        except ValueError:
            said = None
        if status == 200 and said is not None:
            return said
        match said:
            case {"error": str(sentence)}:
                raise _ERRORS.get(status, RuntimeError)(sentence)
        raise RuntimeError(f"There is no sandbox that can be controlled at {self.url}: it answers with {status}.")


class RemoteFaults(Scripting):
    """The faults of a sandbox in another process, as `Faults` has them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def script(self, kind: str, *, operation: str | None = None, nth: int = 1, times: int = 1, **options: Any) -> Fault:
        """Script a fault by the name of its kind, as `Fault.as_dict` describes it."""
        fault = make_fault(kind, operation, nth, times, options)
        self._wire("POST", "faults", body=fault.as_dict())
        return fault

    def expire_tokens(self) -> None:
        """Let every access token expire now. Refresh tokens stay good."""
        self._wire("POST", "faults/expire_tokens")

    def clear(self) -> None:
        """Forget the faults that have not fired. Requests that are held already stay held."""
        self._wire("DELETE", "faults")

    @property
    def pending(self) -> list[dict[str, Any]]:
        """The faults that have still to fire, as plain dicts; `nth` and `times` are what is left of them."""
        return list(self._wire("GET", "faults")["pending"])

    @property
    def held(self) -> int:
        """How many requests hang or have their work still to be done."""
        return int(self._wire("GET", "faults/held")["held"])

    def wait_held(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until that many requests are held; TimeoutError if they do not come."""
        until = time.monotonic() + timeout
        while True:
            left = max(until - time.monotonic(), 0)
            held = int(self._wire("GET", "faults/held", {"count": count, "seconds": min(left, LONGEST_WAIT)})["held"])
            if held >= count:
                return
            if time.monotonic() >= until:
                raise too_few_held(held, count, timeout)

    def release(self) -> int:
        """Let go of all held requests, and return their number."""
        return int(self._wire("POST", "faults/release")["released"])


class RemoteLedger:
    """What a sandbox in another process has committed, as `Ledger` has it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def _ask(self, what: str, table: int | str, **query: Any) -> Any:
        named = {"name" if isinstance(table, str) else "id": table, **query}
        return self._wire("GET", f"ledger/{what}", named, parse=exactly)

    def tables(self) -> dict[str, int]:
        """The names of all tables and their ids."""
        return dict(self._wire("GET", "ledger/tables"))

    def table_id(self, table: int | str) -> int:
        """The id of a table; LookupError if there is none."""
        return int(self._ask("table_id", table)["table_id"])

    def count(self, table: int | str) -> int:
        """How many rows a table has now."""
        return int(self._ask("count", table)["count"])

    def rows(self, table: int | str, version: int | None = None) -> list[dict[str, Any]]:
        """The rows of a table, now or in a version, in the order they were inserted."""
        return list(self._ask("rows", table, **({} if version is None else {"version": version})))

    def inserts(self, table: int | str) -> list[tuple[int, list[dict[str, Any]]]]:
        """Every insert ever committed: the number of its request and the rows as they were sent."""
        return [(request, rows) for request, rows in self._ask("inserts", table)]


class RemoteRequests:
    """The latest requests to a sandbox in another process, as `RequestLog` has them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def _all(self, **query: str) -> list[Entry]:
        return [Entry(**entry) for entry in self._wire("GET", "requests", query)]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all())

    def __len__(self) -> int:
        return self.counts().total()

    def __getitem__(self, place: int) -> Entry:
        return self._all()[place]

    def of(self, operation: str) -> list[Entry]:
        """The requests for one operation, in order."""
        return self._all(operation=operation)

    def counts(self) -> Counter[str | None]:
        """How many requests there were for each operation; None counts those of no known route."""
        return Counter(dict(self._wire("GET", "requests/counts")))

    def clear(self) -> None:
        """Forget the requests so far; numbers go on."""
        self._wire("DELETE", "requests")


class RemoteSandbox:
    """A sandbox that runs in another process on this machine, such as ``clicdata sandbox``.

    Scripts its faults, reads its ledger and its log of requests, and connects to it, as `Sandbox` does in its own
    process. What the sandbox refuses raises as it does there; a wrong key raises PermissionError, no sandbox at the
    address ConnectionError.

    Parameters
    ----------
    url : str, optional
        Its address; the environment's ``CLICDATA_BASE_URL`` by default. Only an address of this machine is taken.
    control_key : str, optional
        The key that it printed; the environment's ``CLICDATA_SANDBOX_KEY`` by default.

    Examples
    --------
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     RemoteSandbox(sandbox.url, sandbox.control_key).ledger.tables()
    {}
    """

    def __init__(self, url: str | None = None, control_key: str | None = None) -> None:
        wire = self._handle()
        url = (url or os.environ.get("CLICDATA_BASE_URL", "")).strip().rstrip("/")
        wire.reach(url, (control_key or os.environ.get("CLICDATA_SANDBOX_KEY", "")).strip())
        # What is raised from here on has no secret among its locals.
        del control_key
        parts = urlsplit(url)
        # The key must never go to another machine.
        if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
            raise ValueError(f"url is {url!r}; it takes the address of a sandbox, as in 'http://127.0.0.1:8484'.")
        if not wire.has_key:
            raise ValueError("control_key must be the key that the sandbox printed when it started.")

    def _handle(self) -> Wire:
        self._known: dict[str, str] = {}
        self._wire = Wire()
        self.faults = RemoteFaults(self._wire)
        self.ledger = RemoteLedger(self._wire)
        self.requests = RemoteRequests(self._wire)
        return self._wire

    def _credential(self, name: str) -> str:
        if not self._known:
            self._known = self._wire("GET", "")
        return self._known[name]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} (not ClicData): {self.url}>"

    @property
    def url(self) -> str:
        """The base address for a client."""
        return self._wire.url

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 80

    @property
    def client_id(self) -> str:
        """The id of the one client there is."""
        return self._credential("client_id")

    @property
    def client_secret(self) -> str:
        """The secret of the one client there is."""
        return self._credential("client_secret")

    @property
    def username(self) -> str:
        """The e-mail address of the user who owns the account."""
        return str(self._wire("GET", "")["username"])  # not kept: it may change

    @property
    def password(self) -> str:
        """The password of the user who owns the account."""
        return str(self._wire("GET", "")["password"])

    @property
    def api_key(self) -> str:
        """A key that needs no token."""
        return self._credential("api_key")

    @property
    def control_key(self) -> str:
        """What a handle like this one needs."""
        return self._credential("control_key")

    @property
    def sources(self) -> Path:
        """The folder with the files that tables are fed from."""
        return Path(self._wire("GET", "sources")["folder"])

    def put_source(self, name: str, content: str | bytes) -> None:
        """Write a file into `sources`, or replace it; ValueError for a name that is no plain file name."""
        data = as_bytes(content)
        if len(data) > MAX_BODY // 2:
            raise ValueError(
                f"A file of more than {MAX_BODY // 2} bytes cannot be sent; write it into the folder sources."
            )
        self._wire("POST", "sources", body={"name": name, "base64": base64.b64encode(data).decode("ascii")})

    def feed(
        self, name: str, file: str, *, key: Sequence[str] | None = None, history: bool = True, description: str = ""
    ) -> int:
        """Make a table from a CSV or Parquet file in `sources` and load it, as `Sandbox.feed` does; its RecId."""
        body = {"name": name, "file": file, "key": key, "history": history, "description": description}
        return int(self._wire("POST", "feeds", body=body)["table_id"])

    def schedule(self, name: str, *, tables: Sequence[str | int], method: str, description: str = "") -> int:
        """Make a schedule that refreshes tables whenever it is triggered, as `Sandbox.schedule` does; its id."""
        body = {"name": name, "tables": tables, "method": method, "description": description}
        return int(self._wire("POST", "schedules", body=body)["schedule_id"])

    def authorize(self, redirect_uri: str, scope: str | None = None) -> str:
        """An authorization code, as if the user had agreed in a browser."""
        return str(self._wire("POST", "authorize", body={"redirect_uri": redirect_uri, "scope": scope})["code"])

    def dashboard(self, name: str, *, table: int | str, description: str = "") -> int:
        """Make a dashboard that draws a table, as `Sandbox.dashboard` does, and return its id."""
        body = {"name": name, "table": table, "description": description}
        return int(self._wire("POST", "dashboards", body=body)["id"])

    def seed(self) -> Seeding:
        """Add a small company to look at, as `Sandbox.seed` does."""
        done = self._wire("POST", "seed")
        return Seeding(tuple(done["added"]), tuple(done["left_out"]))

    def connect(self, **parameters: Any) -> Any:
        """``pandas_clicdata.connect`` to this sandbox; parameters given here come before the sandbox's own."""
        return connect_to(self, parameters)
