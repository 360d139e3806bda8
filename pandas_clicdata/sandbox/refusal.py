"""The one exception by which a request is refused."""

from __future__ import annotations


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
