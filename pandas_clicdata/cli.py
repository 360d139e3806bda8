"""The ``clicdata`` command: the demo, signing in, the doctor, and a sandbox in its own process."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence

import pandas_clicdata as cd
from pandas_clicdata.diagnosis import SCRATCH

_METHODS = ("client_credentials", "basic", "api_key", "authorization_code")
_NEEDS_EXTRA = 'This needs {missing}, which is not installed. Run: pip install "pandas-clicdata[sandbox]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments of the command. Default: those of the process.

    Returns
    -------
    int
        The exit status: 0 for success, 1 for an error, 2 for wrong arguments.

    Examples
    --------
    >>> from pandas_clicdata.cli import main
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
        elif options.command == "login":
            _sign_in(options)
        elif options.command == "logout":
            print("\n".join(f"Removed: {each}." for each in cd.logout(options.profile)) or "Nothing was stored.")
        elif options.command == "whoami":
            with cd.Session(profile=options.profile) as session:
                _print(repr(cd.whoami(session)))
        elif options.command == "doctor":
            _examine(options)
        else:
            parser.print_help()
            return 2
    except cd.ClicDataError as exc:
        print(exc, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("pandas_clicdata"):
            raise
        print(_NEEDS_EXTRA.format(missing=exc.name), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clicdata", description="Exchange pandas DataFrames with ClicData.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("demo", help="push real flights to a new sandbox and read them back")
    login = commands.add_parser(
        "login",
        help="ask for the credentials of an account, check them and store them",
        description="Ask for the credentials of an account, check them and store them in a profile that cd.connect()"
        " uses. Secrets are asked for and are no options, because other users can see the options of a command.",
    )
    login.add_argument("auth_method", nargs="?", choices=_METHODS, help="how to sign in (default: it is asked for)")
    login.add_argument("--profile", metavar="NAME", help="profile to store (default: as in cd.connect)")
    login.add_argument("--keyring", action="store_true", help="store the secret in the keyring of the system")
    login.add_argument("--base-url", metavar="URL", help="address of the API")
    login.add_argument("--client-id", metavar="ID", help="client id (default: it is asked for)")
    login.add_argument("--username", metavar="ADDRESS", help="e-mail address, for basic (default: it is asked for)")
    browser = login.add_argument_group("for authorization_code")
    browser.add_argument("--redirect-uri", metavar="URL", help="address that is registered for the client")
    browser.add_argument("--scope", metavar="SCOPES", help="permissions, separated by spaces")
    browser.add_argument("--pkce", action="store_true", help="send the challenge of PKCE")
    browser.add_argument("--no-browser", action="store_true", help="open no browser; the code is pasted")
    logout = commands.add_parser("logout", help="remove the secrets and tokens of a profile")
    logout.add_argument("--profile", metavar="NAME", help="profile (default: as in cd.connect)")
    whoami = commands.add_parser("whoami", help="show the account, the user and where the settings come from")
    whoami.add_argument("--profile", metavar="NAME", help="profile of the account (default: as in cd.connect)")
    doctor = commands.add_parser(
        "doctor",
        help="find out what the service of an account does where its API is not documented",
        description="Examine the account of the environment or the profile, and keep what is found in its service"
        " profile. The report has no credentials and no data of the account.",
    )
    doctor.add_argument(
        "--write",
        action="store_true",
        help="also write to a table of the doctor's own; the empty table remains, because the API cannot delete it",
    )
    doctor.add_argument("--json", action="store_true", help="print the report as JSON, for a bug report")
    doctor.add_argument("--profile", metavar="NAME", help="profile of the account (default: as in cd.connect)")
    doctor.add_argument("--service-profile", metavar="PATH", help="file of the service profile, to share it")
    sandbox = commands.add_parser(
        "sandbox",
        help="start a sandbox, an emulator of ClicData on this machine",
        description="Start a sandbox: an emulator of ClicData's REST API. It is not ClicData, and its data stays on"
        " this machine.",
    )
    sandbox.add_argument("--port", type=int, default=8484, help="port on 127.0.0.1 (default: 8484; 0: any free port)")
    sandbox.add_argument("--data", metavar="DIR", help="folder that stores all data (default: memory)")
    sandbox.add_argument("--seed", action="store_true", help="add the sample data of a small company, unless it exists")
    sandbox.add_argument(
        "--dialect",
        choices=("both", "unversioned", "versioned"),
        default="both",
        help="dialect of the API (default: both)",
    )
    sandbox.add_argument(
        "--piped",
        action="store_true",
        help="for programs: read commands from standard input, one line of JSON each, and exit when it closes",
    )
    return parser


def _examine(options: argparse.Namespace) -> None:
    if options.write:
        print(
            f"The doctor creates the table {SCRATCH!r}, or uses the one from last time. At the end, it deletes its"
            " rows; the empty table remains.",
            file=sys.stderr,
        )
    with cd.Session(profile=options.profile, service_profile=options.service_profile) as session:
        report = cd.doctor(session, write=options.write)
    _print(report.to_json() if options.json else str(report))


def _sign_in(options: argparse.Namespace) -> None:
    session = cd.login(
        options.auth_method,
        profile=options.profile,
        keyring=options.keyring,
        base_url=options.base_url,
        client_id=options.client_id,
        username=options.username,
        redirect_uri=options.redirect_uri,
        scope=options.scope,
        pkce=options.pkce,
        browser=False if options.no_browser else None,
    )
    with session:
        _print(f"Signed in.\n{cd.whoami(session)!r}")


def _print(text: str) -> None:
    # A console that has not all characters, as on Windows, must not lose the text.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


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
        # Only the error of a file has a filename.
        about_data = isinstance(exc, OSError) and exc.filename is not None
        action = f"store its data in {options.data}" if about_data else f"start on port {options.port}"
        print(f"The sandbox cannot {action}: {exc}", file=sys.stderr)
        return 1
    stored = f"in {options.data}" if options.data else "in memory, until the sandbox stops"
    print(
        f"The sandbox is at {sandbox.url}. It is not ClicData; its data stays on this machine, {stored}. Press Ctrl-C"
        " to stop it.\n"
        "To connect to it, run in your shell:\n"
        f"  export CLICDATA_BASE_URL={sandbox.url}\n"
        f"  export CLICDATA_CLIENT_ID={sandbox.client_id}\n"
        f"  export CLICDATA_CLIENT_SECRET={sandbox.client_secret}\n"
        "To script faults and inspect the stored rows with pandas_clicdata.sandbox.RemoteSandbox, also run:\n"
        f"  export CLICDATA_SANDBOX_KEY={sandbox.control_key}",
        flush=True,
    )
    if seeding is not None:
        print(_seeding_summary(seeding.added, seeding.left_out), flush=True)
    try:
        # Without a timeout, a signal does not interrupt the wait on every platform.
        while not ended.wait(timeout=1):
            pass
    finally:
        sandbox.stop()
    print("The sandbox has stopped.")
    return 0


def _seeding_summary(added: Sequence[str], skipped: Sequence[str]) -> str:
    """Return a summary of a seeding, in one or two lines."""
    if not added and not skipped:
        return "The sandbox was seeded before; nothing was added."
    kinds = Counter(label.split()[0] for label in added)
    counts = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in kinds.items()) or "nothing"
    note = f"\nSkipped, because the name is in use or a table that it needs differs: {', '.join(skipped)}."
    return f"Added: {counts}.{note if skipped else ''}"
