"""A seal on what is kept outside this process, so that what was changed or damaged there is not believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pandas_clicdata.errors import ResumeError


def seal(facts: Mapping[str, Any], before: str = "") -> str:
    """A number for plain JSON facts, and for what stands before them.

    Examples
    --------
    >>> seal({"a": 1, "b": [2]}) == seal({"b": [2], "a": 1})
    True
    >>> seal({"a": 1}, before=seal({})) == seal({"a": 1})
    False
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()[:32]


def sealed(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with their seal."""
    return {**facts, "seal": seal(facts)}


def opened(token: Mapping[str, Any]) -> dict[str, Any]:
    """What was sealed.

    Raises
    ------
    ResumeError
        It is not as it was.
    """
    reason = None
    try:
        facts: dict[str, Any] = json.loads(json.dumps(dict(token)))
        kept = facts.pop("seal", None)
        if kept == seal(facts):
            return facts
    except (TypeError, ValueError, RecursionError) as exc:
        reason = exc
    raise ResumeError(
        "The resume token is not as it was made, or that of another version. Give error.resume as it was."
    ) from reason
