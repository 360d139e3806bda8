"""The service profile: what has been found out about the service of one account, and the file that keeps it.

The API is not completely documented. Some facts about it are found out by trying: by :func:`doctor`, or by the first
write that needs one. A profile only lets the client choose what it would have to find out again. It turns off no check.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pandas_clicdata._config import user_folder
from pandas_clicdata._durable import AtomicFile, lock_of, open_regular
from pandas_clicdata._models import MAX_BATCH_ROWS
from pandas_clicdata._threads import reset_after_fork
from pandas_clicdata.client.operations import UpdateKey
from pandas_clicdata.errors import ConfigurationError, printable

logger: logging.Logger = logging.getLogger(__name__)

VALID_DAYS = 90
"""How long a fact is used after it was found out."""
_FORMAT = 1
_LOCK_SECONDS = 5.0
_EXACT = "exact"


@dataclass(frozen=True)
class Fact:
    """Something that was found out about the service.

    Attributes
    ----------
    found : object
        What was found: a plain JSON value.
    at : datetime
        When.
    dialect : str, optional
        The dialect in which it was found out. Default: not known.
    """

    found: Any
    at: datetime
    dialect: str | None = None

    @property
    def is_current(self) -> bool:
        """Whether it was found out within the last 90 days."""
        return datetime.now(UTC) - timedelta(days=VALID_DAYS) < self.at <= datetime.now(UTC) + timedelta(days=1)


class ServiceProfile:
    """The facts about the service of one account. Safe to share between threads and processes.

    Parameters
    ----------
    base_url : str
        The address of the service.
    account : callable
        Returns the label of the account, without secrets.
    dialect : callable
        Returns the kind of the dialect that the account uses.
    path : str, optional
        The file. Default: a file for the account in the user's state folder.

    Raises
    ------
    ConfigurationError
        The file of ``path`` is not a service profile, or is one of another address.
    """

    def __init__(
        self, base_url: str, account: Callable[[], str], dialect: Callable[[], str], path: str | None = None
    ) -> None:
        self._base_url = base_url
        self._account = account
        self._dialect = dialect
        self.in_memory = False
        """Whether the facts are forgotten with the process."""
        self._given = None if path is None else _expanded(path)
        self._facts: dict[str, Fact] | None = None
        self._after_fork()
        reset_after_fork(self)
        if self._given is not None:
            self._facts = self._read(self._given, strict=True)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    @property
    def path(self) -> Path | None:
        """The file; None if the facts are only kept in memory."""
        if self._given is not None or self.in_memory:
            return self._given
        state = user_folder("state")
        if state is None:
            return None
        return state / "service-profiles" / f"{hashlib.sha256(self._account().encode()).hexdigest()[:16]}.json"

    @property
    def facts(self) -> Mapping[str, Fact]:
        """The facts that are not too old, by name."""
        with self._lock:
            if self._facts is None:
                path = self.path
                self._facts = {} if path is None else self._read(path, strict=False)
            return {name: fact for name, fact in self._facts.items() if fact.is_current}

    def found(self, name: str) -> Any:
        """Return what was found out about something; None if nothing is known."""
        fact = self.facts.get(name)
        return None if fact is None else fact.found

    @property
    def date(self) -> str | None:
        """The day of the latest fact; None without facts."""
        facts = self.facts
        return f"{max(fact.at for fact in facts.values()):%Y-%m-%d}" if facts else None

    def learn(self, facts: Mapping[str, Any], dialect: str | None = None) -> bool:
        """Keep facts that were just found out in this dialect, and return whether they are in the file, too."""
        now = datetime.now(UTC)
        learned = {name: Fact(value, now, dialect) for name, value in facts.items()}
        with self._lock:
            known = {**self.facts, **learned}
            self._facts = known
            path = self.path
            if path is None:
                return False
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with lock_of(path, timeout=_LOCK_SECONDS):
                    # Another process may have found out more.
                    others = self._read(path, strict=False)
                    newer = {name: fact for name, fact in known.items() if _newer(fact, others.get(name))}
                    # A clock that was wrong may have dated the fact of another process later.
                    merged = {**others, **newer, **learned}
                    self._write(path, merged)
                self._facts = merged
            except (OSError, TimeoutError) as exc:
                logger.info("The service profile %s cannot be written (%s); it is kept in memory.", path, exc)
                return False
        return True

    # what the client uses

    def _found_in_dialect(self, name: str) -> Any:
        """Return a fact that would do harm where it is wrong; None if it was found out in the other dialect."""
        fact = self.facts.get(name)
        if fact is None or (fact.dialect is not None and fact.dialect != self._dialect()):
            return None
        return fact.found

    @property
    def update_key(self) -> UpdateKey | None:
        """The key of the new values in the body of an update; None if it is not known."""
        found = self._found_in_dialect("update_key")
        return "update" if found == "update" else "data" if found in ("data", "either") else None

    @property
    def max_rows(self) -> int:
        """The largest number of rows of an insert that the service is known to accept."""
        found = self.found("rows_per_insert")
        return found if type(found) is int and found > MAX_BATCH_ROWS else MAX_BATCH_ROWS

    def compares_exactly(self, kind: str) -> bool:
        """Return whether conditions are known to match exactly: ``find_text``, ``find_numbers``, ``find_datetimes``."""
        return bool(self._found_in_dialect(kind) == _EXACT)

    @property
    def drops_rows(self) -> bool:
        """Whether the service is known to leave out rows of an insert without an error."""
        return bool(self.found("refused_rows") == "row" or self.found("duplicate_rows") == "dropped")

    # the file

    def _read(self, path: Path, *, strict: bool) -> dict[str, Fact]:
        """Return the facts in the file, none if there is no file.

        Raises
        ------
        ConfigurationError
            With ``strict``: it is not a service profile of this address.
        """
        reason = "it is not a service profile"
        try:
            with open_regular(path) as file:
                content = json.loads(file.read())
            facts = {
                str(name): Fact(fact["found"], datetime.fromisoformat(fact["at"]).astimezone(UTC), fact.get("dialect"))
                for name, fact in content["facts"].items()
            }
            if content["service_profile"] == _FORMAT and content["base_url"] == self._base_url:
                return facts
            reason = (
                f"it belongs to {printable(str(content['base_url']))}, not to {self._base_url}"
                if content["service_profile"] == _FORMAT
                else "it was written by another version of this package"
            )
        except FileNotFoundError:
            return {}
        except OSError as exc:
            reason = f"it cannot be read ({exc.strerror or exc})"
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
            pass
        if strict:
            raise ConfigurationError(
                f"service_profile={str(path)!r}: {reason}. Leave service_profile= out, or give the path of a new file:"
                " cd.doctor() writes it."
            )
        logger.info("The service profile %s is not used: %s.", path, reason)
        return {}

    def _write(self, path: Path, facts: Mapping[str, Fact]) -> None:
        content = {
            "service_profile": _FORMAT,
            "base_url": self._base_url,
            "facts": {
                name: {"found": fact.found, "at": fact.at.isoformat(), "dialect": fact.dialect}
                for name, fact in sorted(facts.items())
            },
        }
        with AtomicFile(path) as draft:
            with draft.open() as stream:
                stream.write(json.dumps(content, indent=1).encode())
            draft.publish(overwrite=True)


def _newer(fact: Fact, other: Fact | None) -> bool:
    return other is None or not other.is_current or fact.at >= other.at


def _expanded(path: str) -> Path:
    """Return a path with the home directory in place of ``~``.

    Raises
    ------
    ConfigurationError
        The home directory is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f"The home directory in service_profile={path!r} is not known on this machine. Give a path without ~."
        ) from None
