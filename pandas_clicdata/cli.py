"""The ``clicdata`` command: the demo, and a sandbox for a long life."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence

import pandas_clicdata as cd

_NEEDS_EXTRA = 'This needs {missing}, which is not installed. Run: pip install "pandas-clicdata[sandbox]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind the command. Default: the process's own.

    Examples
    --------
    >>> main(["--version"])
    pandas-clicdata 0.1.0
    0
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.version:
            print(f"pandas-clicdata {cd.__version__}")
        elif options.command == "demo":
            from pandas_clicdata import demo

            return demo.run(sys.stdout)
        elif options.command == "sandbox":
            return _serve(options)
        else:
            parser.print_help()
            return 2
    except cd.ClicDataError as exc:
        print(exc, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("pandas_clicdata"):
            raise
        print(_NEEDS_EXTRA.format(missing=exc.name), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clicdata", description="pandas DataFrames to ClicData and back.")
    parser.add_argument("--version", action="store_true", help="print the version and end")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("demo", help="push real flights to a sandbox of its own and read them back")
    sandbox = commands.add_parser(
        "sandbox",
        help="serve a ClicData of your own on this machine",
        description="Serve the sandbox: it speaks ClicData's REST API, but is not ClicData, and its data stays here.",
    )
    sandbox.add_argument("--port", type=int, default=8484, help="where to listen on 127.0.0.1 (default: 8484; 0: any)")
    sandbox.add_argument("--data", metavar="DIR", help="a folder to keep everything in (default: memory)")
    sandbox.add_argument(
        "--seed", action="store_true", help="add a small company of real data to look at, where it is not there yet"
    )
    sandbox.add_argument(
        "--dialect", choices=("both", "unversioned", "versioned"), default="both", help="what it speaks (default: both)"
    )
    sandbox.add_argument(
        "--piped",
        action="store_true",
        help="for programs: obey orders on the standard input, a line of JSON each, and end when that closes",
    )
    return parser


def _serve(options: argparse.Namespace) -> int:
    from pandas_clicdata.sandbox import Sandbox, serve_pipe

    if options.piped:
        serve_pipe(sys.stdin, sys.stdout)
        return 0
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    seeding = None
    try:
        sandbox = Sandbox(options.dialect, data=options.data, port=options.port).start()
        if options.seed:
            seeding = sandbox.seed()
    except (OSError, ValueError) as exc:
        # Only a file's error names one.
        of_data = isinstance(exc, OSError) and exc.filename is not None
        doing = f"keep its data in {options.data}" if of_data else f"start on port {options.port}"
        print(f"The sandbox cannot {doing}: {exc}", file=sys.stderr)
        return 1
    kept = f"in {options.data}" if options.data else "in memory, gone when this ends"
    print(
        f"The sandbox is at {sandbox.url} (not ClicData: its data stays here, {kept}). Ctrl-C ends it.\n"
        "In the shell where you work:\n"
        f"  export CLICDATA_BASE_URL={sandbox.url}\n"
        f"  export CLICDATA_CLIENT_ID={sandbox.client_id}\n"
        f"  export CLICDATA_CLIENT_SECRET={sandbox.client_secret}\n"
        "To script faults and see what was committed, from Python (pandas_clicdata.sandbox.RemoteSandbox):\n"
        f"  export CLICDATA_SANDBOX_KEY={sandbox.control_key}",
        flush=True,
    )
    if seeding is not None:
        print(_told(seeding.added, seeding.left_out), flush=True)
    try:
        # A timeout keeps the signals coming through on every platform.
        while not ended.wait(timeout=1):
            pass
    finally:
        sandbox.stop()
    print("The sandbox has ended.")
    return 0


def _told(added: Sequence[str], left_out: Sequence[str]) -> str:
    """What a seeding has done, as a sentence or two."""
    if not added and not left_out:
        return "It was seeded before: nothing is added."
    kinds = Counter(what.split()[0] for what in added)
    counts = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in kinds.items()) or "nothing"
    kept = "\nLeft out, as the name is taken or what it builds on is another: " + ", ".join(left_out) + "."
    return f"Added to look at: {counts}." + (kept if left_out else "")
