"""What is compared. Each contender works in a process of its own, which runs this file.

The process prepares its work, and repeats it for each line of its input. It prints the CPU seconds of all its threads,
the seconds on the clock, and the highest memory beside what it held before, as far as the system tells it.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import frames
import pandas as pd
import pyarrow as pa
import service

INSERT_ROWS = 500
VERSION = "2025.3"
STREAM_ROWS = 10_000
_HEADERS = {"CLICDATA-API-KEY": "k", "Content-Type": "application/json"}
_numbers = itertools.count()

Work = Callable[[], Any]


class Job:
    """What a process is to do.

    Parameters
    ----------
    contender, work : str
        Names in :data:`CONTENDERS`.
    url : str
        The address of the service; empty for a contender that needs none.
    dialect : {"versioned", "unversioned"}
        The dialect.
    rows : int
        The number of rows.
    arrow, text : str
        The files of the ring of rows.
    workers : int or None
        Requests at a time, where the contender has the choice; None for its default.
    journal : bool or None
        As in ``push``.
    wrapper : str
        The folder with the source of the public wrapper.
    """

    def __init__(
        self,
        contender: str,
        work: str,
        url: str,
        dialect: str,
        rows: int,
        arrow: str,
        text: str,
        workers: int | None = None,
        journal: bool | None = None,
        wrapper: str = "",
    ) -> None:
        self.contender = contender
        self.work = work
        self.url = url
        self.versioned = dialect == "versioned"
        self.rows = rows
        self.arrow = arrow
        self.text = text
        self.workers = workers
        self.journal = journal
        self.wrapper = wrapper

    @property
    def params(self) -> dict[str, str]:
        """The query of a request in this dialect."""
        return {"api_version": VERSION} if self.versioned else {}

    @property
    def insert_url(self) -> str:
        """The address of an insert."""
        return f"{self.url}/data/{service.TABLE_ID}/{'insert' if self.versioned else 'row'}"

    @property
    def read_url(self) -> str:
        """The address of a page."""
        return f"{self.url}/data/{service.TABLE_ID}"

    def frame(self) -> pd.DataFrame:
        """Load the frame."""
        return frames.load(self.arrow, self.rows)


def _session(job: Job) -> Any:
    import pandas_clicdata as cd

    version = VERSION if job.versioned else "unversioned"
    return cd.Session(api_key="k", base_url=job.url or "http://127.0.0.1:1", api_version=version)


def _push(job: Job) -> Work:
    session, frame = _session(job), job.frame()
    options = {} if job.workers is None else {"workers": job.workers}
    # Each push creates a table, because the session may remember the last one.
    return lambda: frame.clicdata.push(
        f"table {next(_numbers)}", **options, journal=job.journal, progress=False, session=session
    )


def _stream(job: Job) -> Work:
    import pandas_clicdata as cd

    session, ring = _session(job), frames.load(job.arrow, STREAM_ROWS)

    def parts() -> Iterator[pa.RecordBatch]:
        for first in range(0, job.rows, STREAM_ROWS):
            yield pa.RecordBatch.from_pandas(ring.head(job.rows - first), preserve_index=False)

    def push() -> None:
        reader = pa.RecordBatchReader.from_batches(pa.Schema.from_pandas(ring, preserve_index=False), parts())
        cd.push(reader, f"table {next(_numbers)}", journal=job.journal, progress=False, session=session)

    return push


def reads_pages_at_once() -> bool:
    """Return whether reading takes ``workers=``."""
    import pandas_clicdata as cd

    return "workers" in inspect.signature(cd.read_clicdata).parameters


def _read(job: Job) -> Work:
    session = _session(job)
    options = {} if job.workers is None or not reads_pages_at_once() else {"workers": job.workers}
    return lambda: pd.read_clicdata(service.TABLE_ID, **options, progress=False, session=session)


def _without_network(work: Callable[[Job], Work]) -> Callable[[Job], Work]:
    """Return the work with replies from memory: everything but the network."""

    def prepared(job: Job) -> Work:
        from pandas_clicdata._models import Reply
        from pandas_clicdata.client.transport import Transport

        pages = service.load_pages(job.text, job.rows, listed=True, versioned=job.versioned)
        replies = service.Replies(pages, job.versioned)

        def send(self: Transport, request: Any, *args: Any, **options: Any) -> Reply:
            query = "&".join(f"{name}={value}" for name, value in request.params)
            target = f"{request.path}?{query}".encode()
            return Reply(status=200, body=replies.body(request.method.encode(), target, request.body or b""))

        Transport.send = send  # type: ignore[method-assign]
        return work(job)

    return prepared


def _plain_push(job: Job) -> Work:
    """Return the loop that anyone would write."""
    import orjson
    import requests

    frame, http = job.frame(), requests.Session()

    def push() -> None:
        texts = {name: frame[name].astype(str) for name in frame.select_dtypes("datetime")}
        rows = frame.assign(**texts).to_dict("records")
        for at in range(0, len(rows), INSERT_ROWS):
            part: list[Any] = rows[at : at + INSERT_ROWS]
            if not job.versioned:
                part = [[{"column": name, "value": value} for name, value in row.items()] for row in part]
            body = orjson.dumps({"data": part})
            http.post(job.insert_url, data=body, params=job.params, headers=_HEADERS).raise_for_status()

    return push


def _plain_read(job: Job) -> Work:
    """Return the loop that anyone would write."""
    import orjson
    import requests

    http = requests.Session()

    def read() -> pd.DataFrame:
        pages, more = [], True
        while more:
            params = {"page": str(len(pages) + 1), **job.params}
            reply = http.get(job.read_url, params=params, headers=_HEADERS)
            reply.raise_for_status()
            body = orjson.loads(reply.content)
            more = body["pagination"]["has_more_results"] if job.versioned else body["has_more_data"]
            pages.append(pd.DataFrame((body["result"] if job.versioned else body)["data"]))
        return pd.concat(pages, ignore_index=True)

    return read


def _requests_push(job: Job) -> Work:
    """Return inserts of the same body."""
    import requests

    http = requests.Session()
    rows = Path(job.text).read_bytes().splitlines()[1 : INSERT_ROWS + 1]
    if not job.versioned:
        cells = [[{"column": name, "value": value} for name, value in json.loads(row).items()] for row in rows]
        rows = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in cells]
    body = b'{"data":[' + b",".join(rows) + b"]}"

    def push() -> None:
        for _ in range(0, job.rows, INSERT_ROWS):
            http.post(job.insert_url, data=body, params=job.params, headers=_HEADERS).raise_for_status()

    return push


def _requests_read(job: Job) -> Work:
    """Return reads of all pages, which are not even parsed."""
    import requests

    http = requests.Session()

    def read() -> None:
        for number in range(1, -(-job.rows // service.PAGE_ROWS) + 1):
            params = {"page": str(number), **job.params}
            reply = http.get(job.read_url, params=params, headers=_HEADERS)
            reply.raise_for_status()
            assert reply.content

    return read


def _wrapper(job: Job) -> Any:
    """Return the class for data of the public wrapper, signed in."""
    sys.path.insert(0, job.wrapper)
    from clicdata_api_wrapper import Data  # type: ignore[import-not-found]

    return Data(client_id="a", client_secret="b", url=f"{job.url}/")


def _wrapper_push(job: Job) -> Work:
    data, frame = _wrapper(job), job.frame()
    # The wrapper sends neither datetimes nor nulls. That its user converts them is not measured.
    texts = {name: frame[name].astype(str) for name in frame.select_dtypes("datetime")}
    plain = frame.assign(**texts).astype(object).where(frame.notna(), None)
    parts = [plain.iloc[at : at + INSERT_ROWS] for at in range(0, len(plain), INSERT_ROWS)]

    def push() -> None:
        for part in parts:
            data.append_data(service.TABLE_ID, part)

    return push


def _wrapper_read(job: Job) -> Work:
    data = _wrapper(job)
    return lambda: data.get_data(service.TABLE_ID)


OURS, NO_NETWORK, PLAIN, REQUESTS, WRAPPER = "ours", "ours without network", "plain loop", "requests alone", "wrapper"
CONTENDERS: dict[str, dict[str, Callable[[Job], Work]]] = {
    OURS: {"push": _push, "read": _read, "stream": _stream},
    NO_NETWORK: {"push": _without_network(_push), "read": _without_network(_read)},
    PLAIN: {"push": _plain_push, "read": _plain_read},
    REQUESTS: {"push": _requests_push, "read": _requests_read},
    WRAPPER: {"push": _wrapper_push, "read": _wrapper_read},
}


def _memory(field: str) -> int | None:
    """Return a figure of this process in bytes; None where the system has no such file."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return None


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "utf-8")


def main() -> None:
    """Work once for each line of the input."""
    job = Job(**json.loads(sys.argv[1]))
    work = CONTENDERS[job.contender][job.work](job)
    print("ready", flush=True)
    for _ in sys.stdin:
        gc.collect()
        _forget_peak()
        held = _memory("VmRSS")
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        peak = _memory("VmHWM")
        figures = {"cpu": cpu, "wall": wall, "peak": None if held is None or peak is None else peak - held}
        if isinstance(result, pd.DataFrame):
            assert len(result) == job.rows, f"{len(result):,} rows came instead of {job.rows:,}"
            figures["frame"] = int(result.memory_usage(deep=True).sum())
        del result
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
