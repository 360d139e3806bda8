"""Users and teams: members, logins and passwords."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.store import Store, now

OWNER = 1
"""The id of the user who owns the account; client, API key and authorization codes act for this user."""
LICENCES = ("editor", "viewer")
"""The licences of a user; the first is that of a user for whom none is given."""
LOGIN_SECONDS = 30 * 60
"""After so many seconds without a request, the next request by Basic or API key counts as a login."""

_MAX_ID = 2**63 - 1  # the largest integer of SQLite
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "maxmem": 2**26}  # about 40 ms and 16 MB
_SALT_BYTES = 16
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, email_address TEXT NOT NULL,
        first_name TEXT NOT NULL, last_name TEXT NOT NULL, password TEXT, last_login TEXT,
        logins INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE IF NOT EXISTS teams (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS members (
        team_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (team_id, user_id)
    )""",
    """CREATE TABLE IF NOT EXISTS parameters (
        team_id INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (team_id, name)
    )""",
)


@dataclass(frozen=True)
class User:
    """A user, without the password."""

    id: int
    teams: tuple[int, ...]
    email_address: str
    first_name: str
    last_name: str
    last_login: str | None
    logins: int
    licence: str


@dataclass(frozen=True)
class Team:
    """A team with the ids of its users, and its parameters with their values."""

    id: int
    name: str
    description: str
    users: tuple[int, ...]
    parameters: tuple[tuple[str, str], ...]


class People:
    """The users and teams of the account. Every method is one transaction and may be called from any thread.

    Parameters
    ----------
    store : Store
        The database. The owner is created if there is none.
    clock : callable, optional
        Returns seconds, to distinguish a login from another request.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._passwords = Passwords()
        self._lock = threading.Lock()
        self._seen: dict[int, float] = {}
        with store.transaction() as db:
            for sql in _SCHEMA:
                db.execute(sql)
            # A data folder from before users had a licence.
            if "licence" not in [row[1] for row in db.execute("PRAGMA table_info(users)")]:
                db.execute(f"ALTER TABLE users ADD COLUMN licence TEXT NOT NULL DEFAULT '{LICENCES[0]}'")
            # A data folder from before users existed has the only address among its settings.
            kept = db.execute("SELECT value FROM settings WHERE name = 'username'").fetchone()
            email = "ada@sandbox.example" if kept is None else kept[0]
            db.execute(
                "INSERT OR IGNORE INTO users (id, key, email_address, first_name, last_name)"
                " VALUES (?, ?, ?, 'Ada', 'Sandbox')",
                (OWNER, email.casefold(), email),
            )
        # In plain text, unlike all others, because the sandbox shows it to its user.
        store.setting("password", lambda: secrets.token_urlsafe(12))

    # logins

    @property
    def username(self) -> str:
        """The e-mail address of the owner."""
        return self.user(OWNER).email_address

    @property
    def password(self) -> str:
        """The password of the owner."""
        return str(self._store.query("SELECT value FROM settings WHERE name = 'password'")[0][0])

    def sign_in(self, email_address: str, password: str) -> int | None:
        """Return the id of the user with this address and password, or None."""
        found = self._store.query("SELECT id, password FROM users WHERE key = ?", (email_address.casefold(),))
        if not found:
            return None
        user, kept = found[0]
        if user == OWNER:
            return OWNER if hmac.compare_digest(password.encode(), self.password.encode()) else None
        return user if kept is not None and self._passwords.fits(user, password, kept) else None

    def visited(self, user: int) -> None:
        """Note a request by Basic or API key, which counts as a login after a long pause."""
        at = self._clock()
        with self._lock:
            last, self._seen[user] = self._seen.get(user), at
        if last is None or at - last > LOGIN_SECONDS:
            self.logged_in(user)

    def logged_in(self, user: int) -> None:
        """Count a login."""
        with self._store.transaction() as db:
            db.execute("UPDATE users SET logins = logins + 1, last_login = ? WHERE id = ?", (now(), user))

    # users

    def users(self) -> list[User]:
        """Return all users in the order of creation."""
        with self._store.transaction() as db:
            return self._users(db)

    def user(self, user: int) -> User:
        """Return the user with an id; refuse an unknown id with 404."""
        with self._store.transaction() as db:
            _known(db, "users", user)
            return self._users(db, user)[0]

    @staticmethod
    def _users(db: sqlite3.Connection, only: int | None = None) -> list[User]:
        teams: dict[int, list[int]] = {}
        for team_id, user_id in db.execute("SELECT team_id, user_id FROM members ORDER BY team_id"):
            teams.setdefault(user_id, []).append(team_id)
        found = db.execute(
            "SELECT id, email_address, first_name, last_name, last_login, logins, licence FROM users"
            " WHERE :only IS NULL OR id = :only ORDER BY id",
            {"only": only},
        )
        return [User(number, tuple(teams.get(number, ())), *facts) for number, *facts in found]

    def create_user(
        self,
        email_address: str,
        first_name: str,
        last_name: str,
        password: str | None,
        licence: str = LICENCES[0],
    ) -> int:
        """Create a user, who cannot sign in without a password; return the id, refuse a taken address with 409."""
        kept = None if password is None else hashed(password)
        with self._address_free(email_address) as db:
            made = db.execute(
                "INSERT INTO users (key, email_address, first_name, last_name, password, licence)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (email_address.casefold(), email_address, first_name, last_name, kept, licence),
            )
            return made.lastrowid or 0

    def update_user(self, user: int, changes: Mapping[str, str]) -> None:
        """Change ``email_address``, ``first_name``, ``last_name`` or ``licence``; refuse a taken address with 409."""
        with self._address_free(changes.get("email_address", "")) as db:
            _known(db, "users", user)
            for name, value in changes.items():
                db.execute(f"UPDATE users SET {name} = ? WHERE id = ?", (value, user))  # noqa: S608
                if name == "email_address":
                    db.execute("UPDATE users SET key = ? WHERE id = ?", (value.casefold(), user))

    @contextmanager
    def _address_free(self, email_address: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._store.transaction() as db:
                yield db
        except sqlite3.IntegrityError:
            raise Refusal(409, "AddressTaken", f"Another user has the e-mail address '{email_address}'.") from None

    def set_password(self, user: int, password: str) -> None:
        """Set the password of a user."""
        kept = password if user == OWNER else hashed(password)
        with self._store.transaction() as db:
            _known(db, "users", user)
            if user == OWNER:
                db.execute("UPDATE settings SET value = ? WHERE name = 'password'", (kept,))
            else:
                db.execute("UPDATE users SET password = ? WHERE id = ?", (kept, user))

    def delete_user(self, user: int) -> None:
        """Delete a user and remove them from every team; refuse the owner of the account with 409."""
        with self._store.transaction() as db:
            _known(db, "users", user)
            if user == OWNER:
                raise Refusal(409, "OwnerNeeded", "The user who owns the account cannot be deleted.")
            db.execute("DELETE FROM members WHERE user_id = ?", (user,))
            db.execute("DELETE FROM users WHERE id = ?", (user,))

    # teams

    def teams(self) -> list[Team]:
        """Return all teams in the order of creation."""
        users: dict[int, list[int]] = {}
        parameters: dict[int, list[tuple[str, str]]] = {}
        with self._store.transaction() as db:
            for team_id, user_id in db.execute("SELECT team_id, user_id FROM members ORDER BY user_id"):
                users.setdefault(team_id, []).append(user_id)
            for team_id, name, value in db.execute("SELECT team_id, name, value FROM parameters ORDER BY rowid"):
                parameters.setdefault(team_id, []).append((name, value))
            return [
                Team(number, name, description, tuple(users.get(number, ())), tuple(parameters.get(number, ())))
                for number, name, description in db.execute("SELECT id, name, description FROM teams ORDER BY id")
            ]

    def create_team(self, name: str, description: str) -> int:
        """Create a team and return its id; refuse a taken name with 409."""
        with self._name_free(name) as db:
            made = db.execute(
                "INSERT INTO teams (key, name, description) VALUES (?, ?, ?)", (name.casefold(), name, description)
            )
            return made.lastrowid or 0

    def update_team(self, team: int, changes: Mapping[str, str]) -> None:
        """Change ``name`` or ``description`` of a team; refuse a taken name with 409."""
        with self._name_free(changes.get("name", "")) as db:
            _known(db, "teams", team)
            for name, value in changes.items():
                db.execute(f"UPDATE teams SET {name} = ? WHERE id = ?", (value, team))  # noqa: S608
                if name == "name":
                    db.execute("UPDATE teams SET key = ? WHERE id = ?", (value.casefold(), team))

    @contextmanager
    def _name_free(self, name: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._store.transaction() as db:
                yield db
        except sqlite3.IntegrityError:
            raise Refusal(409, "NameTaken", f"A team named '{name}' already exists.") from None

    def delete_team(self, team: int) -> None:
        """Delete a team with its parameters, but not its users."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            for table, column in (("members", "team_id"), ("parameters", "team_id"), ("teams", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (team,))  # noqa: S608

    def add_user(self, team: int, user: int) -> None:
        """Add a user to a team, unless they are in it."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            _known(db, "users", user)
            db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (team, user))

    def remove_user(self, team: int, user: int) -> None:
        """Remove a user from a team; refuse a user who is not in it with 404."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            _known(db, "users", user)
            if not db.execute("DELETE FROM members WHERE team_id = ? AND user_id = ?", (team, user)).rowcount:
                raise Refusal(404, "NotFound", f"The user {user} is not in the team {team}.")

    def set_parameter(self, team: int, name: str, value: str) -> None:
        """Set a parameter of a team."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            db.execute(
                "INSERT INTO parameters VALUES (?, ?, ?)"
                " ON CONFLICT (team_id, name) DO UPDATE SET value = excluded.value",
                (team, name, value),
            )

    def remove_parameter(self, team: int, name: str) -> None:
        """Remove a parameter from a team; refuse an unknown parameter with 404."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            if not db.execute("DELETE FROM parameters WHERE team_id = ? AND name = ?", (team, name)).rowcount:
                raise Refusal(404, "NotFound", f"The team {team} has no parameter '{name}'.")


def _known(db: sqlite3.Connection, table: str, number: int) -> None:
    if number > _MAX_ID or db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone() is None:  # noqa: S608
        raise Refusal(404, "NotFound", f"No {table.removesuffix('s')} has the id {number}.")


def hashed(password: str) -> str:
    """Return a salted slow hash of a password, for storage."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{salt.hex()}:{_slow(password, salt).hex()}"


def _slow(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT)


class Passwords:
    """Checks passwords against their hashes, and remembers correct ones.

    It keeps one digest for each user, under a random key in memory, so that not every request computes a slow hash.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._correct: dict[int, bytes] = {}

    def fits(self, user: int, password: str, kept: str) -> bool:
        """Return whether a password is the one that was hashed for a user."""
        # The stored hash is part of it, so that a new password invalidates the digest.
        quick = hmac.digest(self._key, f"{user}:{kept}:{password}".encode(), "sha256")
        if hmac.compare_digest(quick, self._correct.get(user, b"")):
            return True
        salt, _, digest = kept.partition(":")
        if not hmac.compare_digest(_slow(password, bytes.fromhex(salt)), bytes.fromhex(digest)):
            return False
        self._correct[user] = quick
        return True
