"""Passwords of users: kept as salted slow hashes, checked quickly once they were found right."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 2**26}  # some 40 ms and 16 MB
_SALT = 16  # bytes


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
