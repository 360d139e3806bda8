"""The two dialects: which one a reply has, how results are wrapped, and how requests are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pandas_clicdata.sandbox.assumptions import Assumptions

MODES = ("both", "unversioned", "versioned")
"""The dialects that a sandbox can have."""

VERSIONS = {(2021, 8): "2021.08", (2022, 1): "2022.01", (2024, 1): "2024.1", (2025, 3): "2025.3", (2025, 4): "2025.4"}
"""All versions, oldest first, with their names."""
_DEPRECATED = (2021, 8)

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
        A sentence with the reason.
    bare : bool, default False
        The reply has no ``success`` key in either dialect.
    """

    def __init__(self, status: int, code: str, description: str, *, bare: bool = False) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.bare = bare


def bad_body(description: str) -> Refusal:
    """Return a 400 for a body that does not have the required form."""
    return Refusal(400, "InvalidBody", description)


def bad_value(description: str) -> Refusal:
    """Return a 400 for a value that its column cannot hold."""
    return Refusal(400, "InvalidValue", description)


@dataclass(frozen=True)
class Dialect:
    """The form of a reply: bare without a version, wrapped with one."""

    version: tuple[int, int] | None = None
    wrapped: bool = False

    def success(self, result: bytes, pagination: Mapping[str, Any] | None = None) -> bytes:
        """Return the body of a reply with the JSON text of a result."""
        if not self.wrapped:
            return result
        paging = b', "pagination": %b' % json.dumps(pagination).encode() if pagination is not None else b""
        return b'{"success": true, "result": %b%b}' % (result, paging)

    def refusal(self, refusal: Refusal) -> str:
        """Return the body of a refusal."""
        error = {"code": refusal.code, "description": refusal.description}
        body: dict[str, Any] = {"error": error}
        if self.wrapped and not refusal.bare:
            body = {"success": False, **body}
        return json.dumps(body, ensure_ascii=False)


def guess(mode: str, given: Sequence[str]) -> Dialect:
    """Return the dialect for a refusal, also if the version is unknown."""
    return Dialect(wrapped=mode == "versioned" or (mode == "both" and bool(given)))


def known_versions(assume: Assumptions) -> dict[tuple[int, int], str]:
    """Return the versions that a sandbox knows, oldest first, with their names."""
    newest = next(version for version, name in VERSIONS.items() if name == assume.newest_version)
    return {version: name for version, name in VERSIONS.items() if version <= newest}


def version_headers(mode: str, assume: Assumptions) -> list[tuple[str, str]]:
    """Return the reply headers with the versions, if a sandbox has them."""
    if mode == "unversioned" or not assume.version_headers:
        return []
    known = known_versions(assume)
    # A service that has only the oldest version does not deprecate it.
    deprecated = [name for version, name in known.items() if version == _DEPRECATED and len(known) > 1]
    supported = [name for name in known.values() if name not in deprecated]
    headers = [("api-supported-versions", ", ".join(supported)), ("api-deprecated-versions", ", ".join(deprecated))]
    return [header for header in headers if header[1]]


def choose(mode: str, given: Sequence[str], known: Container[tuple[int, int]]) -> Dialect:
    """Return the dialect of a request from the values of ``api_version``, which must be known."""
    if mode == "unversioned" or (mode == "both" and not given):
        return Dialect()
    if not given:
        raise Refusal(
            200, "APIVersionRequired", "An API version is required: add the parameter api_version.", bare=True
        )
    found = _VERSION.fullmatch(given[0]) if len(given) == 1 else None
    version = (int(found[1]), int(found[2])) if found else None
    if version is None or version not in known:
        raise Refusal(400, "InvalidVersion", f"The API version '{', '.join(given)}' is unknown.")
    return Dialect(version, wrapped=True)


def pagination(form: str, count: int, total: int, page: int, size: int, *, more: bool) -> dict[str, Any]:
    """Return the pagination of a versioned reply, in one of the forms of `Assumptions.pagination`."""
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
    """Return the HTTP status of a refusal."""
    if assume.refusal_status == "ok" and refusal.status not in (401, 500) and refusal.code != "UnknownRoute":
        return 200
    return refusal.status
