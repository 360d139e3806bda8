"""Users and teams, their sign-ins, and who is in which team."""

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
"""The id of the user who owns the account: client, API key and authorization codes act for them."""
LOGIN_SECONDS = 30 * 60
"""After so long without a request, the next one by Basic or API key counts as a login."""

_MAX_ID = 2**63 - 1  # SQLite's
_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 2**26}  # some 40 ms and 16 MB
_SALT = 16  # bytes
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
    """A user. Their password is not here."""

    id: int
    teams: tuple[int, ...]
    email_address: str
    first_name: str
    last_name: str
    last_login: str | None
    logins: int


@dataclass(frozen=True)
class Team:
    """A team, the ids of its users, and its parameters with their values."""

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
        Where they are kept. The owner is made when there is none.
    clock : callable, optional
        Seconds that go by, to tell a login from another request.
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
            # A data folder from before there were users has the one address among its settings.
            kept = db.execute("SELECT value FROM settings WHERE name = 'username'").fetchone()
            email = "ada@sandbox.example" if kept is None else kept[0]
            db.execute(
                "INSERT OR IGNORE INTO users (id, key, email_address, first_name, last_name)"
                " VALUES (?, ?, ?, 'Ada', 'Sandbox')",
                (OWNER, email.casefold(), email),
            )
        # In plain text, unlike all others: the sandbox has to tell how to sign in to it.
        store.setting("password", lambda: secrets.token_urlsafe(12))

    # signing in

    @property
    def username(self) -> str:
        """The owner's e-mail address."""
        return self.user(OWNER).email_address

    @property
    def password(self) -> str:
        """The owner's password."""
        return str(self._store.query("SELECT value FROM settings WHERE name = 'password'")[0][0])

    def sign_in(self, email_address: str, password: str) -> int | None:
        """The id of the user with this address and password, None for nobody."""
        found = self._store.query("SELECT id, password FROM users WHERE key = ?", (email_address.casefold(),))
        if not found:
            return None
        user, kept = found[0]
        if user == OWNER:
            return OWNER if hmac.compare_digest(password.encode(), self.password.encode()) else None
        return user if kept is not None and self._passwords.fits(user, password, kept) else None

    def visited(self, user: int) -> None:
        """Note a request that was signed in by Basic or API key: after a long pause it is a login."""
        at = self._clock()
        with self._lock:
            last, self._seen[user] = self._seen.get(user), at
        if last is None or at - last > LOGIN_SECONDS:
            self.logged_in(user)

    def logged_in(self, user: int) -> None:
        """Note a login."""
        with self._store.transaction() as db:
            db.execute("UPDATE users SET logins = logins + 1, last_login = ? WHERE id = ?", (now(), user))

    # users

    def users(self) -> list[User]:
        """All users, in the order they were made."""
        with self._store.transaction() as db:
            return self._users(db)

    def user(self, user: int) -> User:
        """The user of that id; a 404 if there is none."""
        with self._store.transaction() as db:
            _known(db, "users", user)
            return self._users(db, user)[0]

    @staticmethod
    def _users(db: sqlite3.Connection, only: int | None = None) -> list[User]:
        teams: dict[int, list[int]] = {}
        for team_id, user_id in db.execute("SELECT team_id, user_id FROM members ORDER BY team_id"):
            teams.setdefault(user_id, []).append(team_id)
        found = db.execute(
            "SELECT id, email_address, first_name, last_name, last_login, logins FROM users"
            " WHERE ?1 IS NULL OR id = ?1 ORDER BY id",
            (only,),
        )
        return [User(number, tuple(teams.get(number, ())), *facts) for number, *facts in found]

    def create_user(self, email_address: str, first_name: str, last_name: str, password: str | None) -> int:
        """Make a user and return their id; a 409 if the address is taken. Without a password nobody can sign in."""
        kept = None if password is None else hashed(password)
        with self._address_free(email_address) as db:
            made = db.execute(
                "INSERT INTO users (key, email_address, first_name, last_name, password) VALUES (?, ?, ?, ?, ?)",
                (email_address.casefold(), email_address, first_name, last_name, kept),
            )
            return made.lastrowid or 0

    def update_user(self, user: int, changes: Mapping[str, str]) -> None:
        """Give a user a new ``email_address``, ``first_name`` or ``last_name``; a 409 if the address is taken."""
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
            raise Refusal(
                409, "AddressTaken", f"There is a user with the e-mail address '{email_address}' already."
            ) from None

    def set_password(self, user: int, password: str) -> None:
        """Give a user a new password."""
        kept = password if user == OWNER else hashed(password)
        with self._store.transaction() as db:
            _known(db, "users", user)
            if user == OWNER:
                db.execute("UPDATE settings SET value = ? WHERE name = 'password'", (kept,))
            else:
                db.execute("UPDATE users SET password = ? WHERE id = ?", (kept, user))

    def delete_user(self, user: int) -> None:
        """Delete a user, who leaves every team; a 409 for the owner of the account."""
        with self._store.transaction() as db:
            _known(db, "users", user)
            if user == OWNER:
                raise Refusal(409, "OwnerNeeded", "The user who owns the account cannot be deleted.")
            db.execute("DELETE FROM members WHERE user_id = ?", (user,))
            db.execute("DELETE FROM users WHERE id = ?", (user,))

    # teams

    def teams(self) -> list[Team]:
        """All teams, in the order they were made."""
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
        """Make a team and return its id; a 409 if its name is taken."""
        with self._name_free(name) as db:
            made = db.execute(
                "INSERT INTO teams (key, name, description) VALUES (?, ?, ?)", (name.casefold(), name, description)
            )
            return made.lastrowid or 0

    def update_team(self, team: int, changes: Mapping[str, str]) -> None:
        """Give a team a new ``name`` or ``description``; a 409 if the name is taken."""
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
            raise Refusal(409, "NameTaken", f"There is a team named '{name}' already.") from None

    def delete_team(self, team: int) -> None:
        """Delete a team with its parameters; its users stay users."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            for table, column in (("members", "team_id"), ("parameters", "team_id"), ("teams", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (team,))  # noqa: S608

    def add_user(self, team: int, user: int) -> None:
        """Put a user into a team; nothing changes where they are in it."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            _known(db, "users", user)
            db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (team, user))

    def remove_user(self, team: int, user: int) -> None:
        """Take a user out of a team; a 404 where they are not in it."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            _known(db, "users", user)
            if not db.execute("DELETE FROM members WHERE team_id = ? AND user_id = ?", (team, user)).rowcount:
                raise Refusal(404, "NotFound", f"The user {user} is not in the team {team}.")

    def set_parameter(self, team: int, name: str, value: str) -> None:
        """Give a team a parameter, or a parameter a new value."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            db.execute(
                "INSERT INTO parameters VALUES (?, ?, ?)"
                " ON CONFLICT (team_id, name) DO UPDATE SET value = excluded.value",
                (team, name, value),
            )

    def remove_parameter(self, team: int, name: str) -> None:
        """Take a parameter from a team; a 404 where it has none of that name."""
        with self._store.transaction() as db:
            _known(db, "teams", team)
            if not db.execute("DELETE FROM parameters WHERE team_id = ? AND name = ?", (team, name)).rowcount:
                raise Refusal(404, "NotFound", f"The team {team} has no parameter '{name}'.")


def _known(db: sqlite3.Connection, table: str, number: int) -> None:
    if number > _MAX_ID or db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone() is None:  # noqa: S608
        raise Refusal(404, "NotFound", f"There is no {table.removesuffix('s')} with the id {number}.")


def hashed(password: str) -> str:
    """A salted slow hash of a password, to be kept in its stead."""
    salt = secrets.token_bytes(_SALT)
    return f"{salt.hex()}:{_slow(password, salt).hex()}"


def _slow(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)


class Passwords:
    """Checks passwords against their hashes, and remembers what was right.

    What it remembers is one digest a user, under a key that ends with the process: a request need not cost a slow hash.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[int, bytes] = {}

    def fits(self, user: int, password: str, kept: str) -> bool:
        """Whether a user's password is the one that was hashed."""
        # Over the hash too, so that a new password makes this one unknown.
        quick = hmac.digest(self._key, f"{user}:{kept}:{password}".encode(), "sha256")
        if hmac.compare_digest(quick, self._right.get(user, b"")):
            return True
        salt, _, digest = kept.partition(":")
        if not hmac.compare_digest(_slow(password, bytes.fromhex(salt)), bytes.fromhex(digest)):
            return False
        self._right[user] = quick
        return True
