"""Reading replies that hold records, a picture, or a new RecId."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from pandas_clicdata.models import Exchange, Picture, Records, Reply, Request
from pandas_clicdata.wire import body
from pandas_clicdata.wire.replies import Answer, flag, integer, raise_for_error


def records(holds: str) -> Callable[[Answer], Records]:
    """A list of records: bare, or in an object under this key, or under the only key that holds a list (A)."""

    def read(answer: Answer) -> Records:
        listed = answer.content
        if isinstance(listed, dict):
            lists = [value for value in listed.values() if isinstance(value, list)]
            listed = listed.get(holds, lists[0] if len(lists) == 1 else None)
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            answer.unexpected("it holds no list of records")
        number, size = (integer(answer.pagination.get(key)) for key in ("current_page", "page_size"))
        full = number is not None and size is not None and len(listed) >= size > 0
        return Records(listed, has_more=has_more(answer), total=total(answer), number=number, full=full)

    return read


def record(holds: str = "") -> Callable[[Answer], dict[str, Any]]:
    """One record: the object itself, or the only one in the list that the object holds under this key (A)."""

    def read(answer: Answer) -> dict[str, Any]:
        inner = answer.fields().get(holds)
        if isinstance(inner, list):
            if len(inner) != 1:
                answer.unexpected(f"it holds {len(inner)} records in the place of one")
            inner = inner[0]
        return inner if isinstance(inner, dict) else answer.fields()

    return read


def said(answer: Answer) -> dict[str, Any]:
    """What the service says of something that it has done; nothing, where that is no object."""
    return answer.content if isinstance(answer.content, dict) else {}


def content(answer: Answer) -> Any:
    """The content as it came."""
    return answer.content


def picture(request: Request) -> Exchange[Picture]:
    """A request for a picture: base64 text, in JSON or by itself (S P), or the image's own bytes (A)."""

    def read_reply(reply: Reply) -> Picture:
        raise_for_error(request, reply)
        if not reply.framed:
            Answer(request, reply, None, {}).unexpected("nothing shows that it is whole")
        with contextlib.suppress(ValueError):
            return Picture(reply.body)
        found: Any = None
        with contextlib.suppress(ValueError):
            found = body.loads(reply.body)
        if found is None:
            found = reply.body.decode("ascii", "replace")
        elif isinstance(found, dict) and isinstance(found.get("success"), bool):
            found = found.get("result")
        pictures = []
        for text in found.values() if isinstance(found, dict) else [found]:
            # Beside it may stand what the dashboard is called.
            with contextlib.suppress(TypeError, ValueError):
                pictures.append(Picture.from_base64(text))
        if len(pictures) == 1:
            return pictures[0]
        return Answer(request, reply, None, {}).unexpected("it is no picture")

    return Exchange(request, read_reply)


def has_more(answer: Answer) -> bool | None:
    """``result_total_count``, ``has_more_results`` and ``last_page`` are each optional (P)."""
    more = flag(answer.pagination.get("has_more_results"))
    last = flag(answer.pagination.get("last_page"))
    return more if more is not None else None if last is None else not last


def total(answer: Answer) -> int | None:
    return integer(answer.pagination.get("result_total_count"))
