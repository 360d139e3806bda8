"""The two dialects: which one a request is answered in, and how replies are wrapped in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions

MODES = ("both", "unversioned", "versioned")
"""What a sandbox can be made to speak."""

SUPPORTED = {(2022, 1): "2022.01", (2025, 3): "2025.3"}
DEPRECATED = {(2021, 8): "2021.08"}
VERSION_HEADERS = [
    ("api-supported-versions", ", ".join(SUPPORTED.values())),
    ("api-deprecated-versions", ", ".join(DEPRECATED.values())),
]
"""The reply headers that list the versions."""

_VERSION = re.compile(r"([0-9]{4})\.([0-9]{1,2})")


class Refusal(Exception):
    """A request that the sandbox refuses: an HTTP status, a code and a sentence for the reply.

    Parameters
    ----------
    status : int
        HTTP status of the reply.
    code : str
        Short code, as in ``InvalidValue``.
    description : str
        A sentence that says what is wrong.
    bare : bool, default False
        The reply has no ``success`` key, whatever the dialect.
    """

    def __init__(self, status: int, code: str, description: str, *, bare: bool = False) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.bare = bare


def bad_body(description: str) -> Refusal:
    """A 400 for a body that does not have the right shape."""
    return Refusal(400, "InvalidBody", description)


def bad_value(description: str) -> Refusal:
    """A 400 for a value that its column cannot hold."""
    return Refusal(400, "InvalidValue", description)


@dataclass(frozen=True)
class Dialect:
    """How a request is answered: under a version, or without one."""

    version: tuple[int, int] | None = None
    wrapped: bool = False

    def success(self, result: str, pagination: Mapping[str, Any] | None = None) -> str:
        """The body of a reply around the JSON text of its result."""
        if not self.wrapped:
            return result
        paging = f', "pagination": {json.dumps(pagination)}' if pagination is not None else ""
        return f'{{"success": true, "result": {result}{paging}}}'

    def refusal(self, refusal: Refusal) -> str:
        """The body of a refusal."""
        error = {"code": refusal.code, "description": refusal.description}
        body: dict[str, Any] = {"error": error}
        if self.wrapped and not refusal.bare:
            body = {"success": False, **body}
        return json.dumps(body, ensure_ascii=False)


def guess(mode: str, given: Sequence[str]) -> Dialect:
    """The dialect for a refusal of a request that may name no known version."""
    return Dialect(wrapped=mode == "versioned" or (mode == "both" and bool(given)))


def choose(mode: str, given: Sequence[str]) -> Dialect:
    """The dialect of a request, by the values of its ``api_version`` parameter."""
    if mode == "unversioned" or (mode == "both" and not given):
        return Dialect()
    if not given:
        raise Refusal(
            200, "APIVersionRequired", "An API version is required: add the parameter api_version.", bare=True
        )
    found = _VERSION.fullmatch(given[0]) if len(given) == 1 else None
    version = (int(found[1]), int(found[2])) if found else None
    if version not in SUPPORTED and version not in DEPRECATED:
        raise Refusal(400, "InvalidVersion", f"The API version '{', '.join(given)}' is not known.")
    return Dialect(version, wrapped=True)


def pagination(form: str, count: int, total: int, page: int, size: int, *, more: bool) -> dict[str, Any]:
    """What a versioned reply says of its paging, in one of the forms of `Assumptions.pagination`."""
    if form == "bare":
        return {"last_page": not more}
    if form == "minimal":
        return {"result_count": count, "current_page": page, "has_more_results": more}
    return {
        "result_count": count,
        "result_total_count": total,
        "current_page": page,
        "page_size": size,
        "has_more_results": more,
        "last_page": not more,
    }


def status_of(refusal: Refusal, assume: Assumptions) -> int:
    """The HTTP status that a refusal is sent with."""
    if assume.refusal_status == "ok" and refusal.status not in (401, 500) and refusal.code != "UnknownRoute":
        return 200
    return refusal.status
