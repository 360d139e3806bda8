"""The OAuth flows: how each comes by a token."""

from __future__ import annotations

import contextvars
import hashlib
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import InitVar, dataclass, field

from pandas_clicdata import config
from pandas_clicdata.auth.bearer import Send
from pandas_clicdata.auth.replies import TOKEN_PATH, Issued, read_token
from pandas_clicdata.auth.tokenfile import Kept, TokenFile
from pandas_clicdata.config import Settings
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    NoCredentialsError,
    RateLimitError,
    TransportError,
)
from pandas_clicdata.models import NO_MORE_TRIES, Reply, Request, Secret
from pandas_clicdata.threads import renew_in_children, started

AUTHORIZE_PATH = "/oauth20/authorize"
# Less is not worth a request that will be refused.
_LEAST_LIFE_SECONDS = 1.0
_SIGN_IN_AGAIN = (
    "sign in again: open cd.authorization_url(...) in a browser and give the code it sends back to"
    " cd.connect(code=..., redirect_uri=...)"
)


@dataclass(frozen=True)
class ClientCredentials:
    """``grant_type=client_credentials`` (S P)."""

    settings: Settings

    def secrets(self) -> tuple[Secret, ...]:
        return self.settings.secrets

    def identity(self) -> str:
        # The client id says it all; the secret may be replaced by a new one.
        return ""

    def ask(self, send: Send, instead_of: Secret | None) -> Issued:
        from oauthlib.oauth2 import BackendApplicationClient

        client_id, client_secret = _client(self.settings)
        client = BackendApplicationClient(client_id)
        # A second token beside the first does no harm.
        return read_token(
            send(
                _token_request(
                    Secret(client.prepare_request_body(client_secret=client_secret.reveal(), include_client_id=True))
                )
            )
        )


@dataclass(eq=False)
class AuthorizationCode:
    """``grant_type=authorization_code``, and from then on ``refresh_token`` (P).

    A session stays with the sign-in that it began with: that of its code or refresh token, else the latest in the file.
    Both tokens are shared through the file, so that of several processes one renews them for all.

    Parameters
    ----------
    settings : Settings
        Whose sign-in it is.
    sign_in : str, optional
        The sign-in of the file to continue, of a session that was pickled. No other one is used then.
    """

    settings: Settings
    sign_in: InitVar[str | None] = None
    _file: TokenFile = field(init=False, repr=False)
    _began: str | None = field(default=None, init=False, repr=False)
    _held: Kept | None = field(default=None, init=False, repr=False)
    _unsaved: bool = field(default=False, init=False, repr=False)

    def __post_init__(self, sign_in: str | None) -> None:
        self._file = TokenFile(self.settings)
        self._began = sign_in
        renew_in_children(self)

    def _after_fork(self) -> None:
        # The parent writes it. By the time that the child would, the refresh token may be an old one.
        self._unsaved = False

    def secrets(self) -> tuple[Secret, ...]:
        held = self._held
        known = () if held is None else (held.access_token, held.refresh_token)
        return (*self.settings.secrets, *(secret for secret in known if secret is not None))

    def identity(self) -> str:
        """Return which sign-in it is; empty as long as there is none.

        Several people may sign in with one client id, and tokens are renewed all the time. What stays the same is the
        digest of the code or token that the sign-in began with, under which the token file keeps it. Nothing tells
        whether two sign-ins are of the same person, so a new sign-in counts as another account.
        """
        if self._began is None:
            self._began = self._first_of(self._file.read())
        return self._began or ""

    def ask(self, send: Send, instead_of: Secret | None) -> Issued:
        # In a thread of its own, because Ctrl-C is raised in the main thread, and a token must not be lost by it
        # between the reply and the disk. Python's end waits for this thread; a pool takes no more work by then.
        stop = NO_MORE_TRIES.get() or threading.Event()
        context = contextvars.copy_context()
        context.run(NO_MORE_TRIES.set, stop)
        coming: Future[Issued] = Future()
        work = (coming, context, send, instead_of)
        try:
            if not started(threading.Thread(target=self._work, args=work, name="clicdata-token")):
                self._work(*work)
            return coming.result()
        except (KeyboardInterrupt, SystemExit):
            stop.set()
            raise
        finally:
            # Else an error and the frames that it has passed would keep each other alive.
            del coming, work

    def _work(
        self, coming: Future[Issued], context: contextvars.Context, send: Send, instead_of: Secret | None
    ) -> None:
        try:
            coming.set_result(context.run(self._ask, send, instead_of))
        except BaseException as exc:  # noqa: BLE001 - raised where the token is wanted
            coming.set_exception(exc)
        finally:
            del coming

    def _ask(self, send: Send, instead_of: Secret | None) -> Issued:
        with self._file.turn():
            sign_ins = self._file.read()
            kept = self._find(sign_ins)
            if kept is not None and self._unsaved:
                assert self._began is not None
                with self._file.room() as put:
                    put({**sign_ins, self._began: kept})
                self._unsaved = False
            if kept is not None and kept.access_token != instead_of and _life(kept) > _LEAST_LIFE_SECONDS:
                return Issued(kept.access_token, _life(kept), kept.refresh_token)
            with self._file.room() as put:
                issued = self._asked(send, kept)
                self._held = Kept(issued.access_token, time.time() + issued.life, issued.refresh_token)
                self._unsaved = True
                assert self._began is not None
                put({**sign_ins, self._began: self._held})
                self._unsaved = False
            return issued

    def _find(self, sign_ins: dict[str, Kept]) -> Kept | None:
        """What is kept of this session's sign-in; None where it has still to begin."""
        first = self._first_of(sign_ins)
        self._began = self._began or first
        if self._began is None:
            raise NoCredentialsError(
                f"Nobody has signed in yet: there is no token in {self._file.path}. Please {_SIGN_IN_AGAIN},"
                " or give refresh_token=.",
                operation="token",
            )
        if not self._unsaved:
            self._held = sign_ins.get(self._began, self._held)
        if self._held is None and first != self._began:
            raise NoCredentialsError(
                f"The sign-in of this session, which was pickled, is not in {self._file.path}, and another one is not"
                f" used in its place. Give the token file that has it: token_file= (or CLICDATA_TOKEN_FILE), or"
                f" {_SIGN_IN_AGAIN}.",
                operation="token",
            )
        return self._held

    def _first_of(self, sign_ins: Mapping[str, Kept]) -> str | None:
        """The sign-in that a new session begins with: that of its code or token, else the latest there is."""
        given = self.settings.code or self.settings.refresh_token
        if given is None:
            return next(reversed(list(sign_ins)), None)
        return next((began for began, kept in sign_ins.items() if kept.refresh_token == given), _digest(given))

    def _asked(self, send: Send, kept: Kept | None) -> Issued:
        from oauthlib.oauth2 import WebApplicationClient

        client_id, client_secret = _client(self.settings)
        client = WebApplicationClient(client_id)
        if kept is None and self.settings.code is not None:
            what, token = "code", None
            request = _token_request(
                Secret(
                    client.prepare_request_body(
                        code=self.settings.code.reveal(),
                        redirect_uri=self.settings.redirect_uri,
                        client_secret=client_secret.reveal(),
                    )
                )
            )
        else:
            what = "refresh token"
            token = self.settings.refresh_token if kept is None else kept.refresh_token
            if token is None:
                raise AuthenticationError(
                    f"The access token has come to its end, and ClicData gave no refresh token with it. Please"
                    f" {_SIGN_IN_AGAIN}.",
                    operation="token",
                )
            request = _token_request(
                Secret(
                    client.prepare_refresh_body(
                        refresh_token=token.reveal(), client_id=client_id, client_secret=client_secret.reveal()
                    )
                )
            )
        issued = _spent(send, request, what, self.settings)
        # A reply without a new refresh token leaves the old one good (RFC 6749, section 6).
        return issued._replace(refresh_token=issued.refresh_token or token)


def _spent(send: Send, request: Request, what: str, settings: Settings) -> Issued:
    """Send what is good only once, and say so in what is raised."""
    reply: Reply | None = None
    try:
        reply = send(request)
        why = "is an old one, was used before, or was withdrawn"
        if reply.perhaps_done:
            why = "was spent by an earlier try whose reply was lost, or was used before"
        spare = (
            " To go on with the sign-in that the token file keeps, leave refresh_token= (and CLICDATA_REFRESH_TOKEN)"
            " out."
            if settings.refresh_token is not None
            else ""
        )
        return read_token(reply, f"It seems the {what} {why}. Please {_SIGN_IN_AGAIN}.{spare}")
    except (TransportError, ApiError) as exc:
        if isinstance(exc, TransportError):
            lost = exc.ambiguous
        elif isinstance(exc, RateLimitError):
            lost = reply is not None and reply.perhaps_done
        else:
            lost = not isinstance(exc, AuthenticationError)
        if lost:
            exc.args = (
                f"{exc} The {what} may have been spent by this. It is tried once more by the next request; if it is"
                f" refused then, {_SIGN_IN_AGAIN}.",
            )
        raise


def authorization_url(
    *,
    client_id: str | None = None,
    redirect_uri: str | None = None,
    scope: str | Iterable[str] | None = None,
    state: str | None = None,
    base_url: str | None = None,
    profile: str | None = None,
) -> str:
    """Build the address at which a person lets a program into ClicData; open it in a browser.

    The browser is then sent to ``redirect_uri`` with ``code`` (and ``state``) in its query. That code goes into
    ``connect(code=..., redirect_uri=...)``, at once, for it is good once and not for long. Nothing is sent here.

    Parameters
    ----------
    client_id, redirect_uri, base_url : str, optional
        As for :class:`Session`, and taken from the environment or profile as there.
    scope : str or iterable of str, optional
        What the program may do, such as ``["data_read", "data_write"]`` (P); a str holds them with spaces between.
    state : str, optional
        A random text of yours that comes back with the code; if another one does, do not use that code.
    profile : str, optional
        The profile in the file to use.

    Returns
    -------
    str

    Raises
    ------
    ConfigurationError
        The client id or the redirect address is missing, or a setting is wrong.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.authorization_url(client_id="acme", redirect_uri="https://acme.example/back", scope=["data_read"])
    'https://api.clicdata.com/oauth20/authorize?response_type=code&client_id=acme&redirect_uri=https%3A%2F%2Facme.example%2Fback&scope=data_read'
    """
    from oauthlib.common import add_params_to_uri

    given = {"client_id": client_id, "redirect_uri": redirect_uri, "base_url": base_url, "state": state}
    known = config.resolve_public(given, profile)
    words = scope.split() if isinstance(scope, str) else list(scope or ())
    if not all(isinstance(word, str) and word and not word.isspace() for word in words):
        raise ConfigurationError("scope= is a text such as 'data_read data_write', or a list of such words.")
    params = [("response_type", "code"), ("client_id", known["client_id"]), ("redirect_uri", known["redirect_uri"])]
    params += [("scope", " ".join(words))] if words else []
    params += [("state", state)] if state is not None else []
    return str(add_params_to_uri(known["base_url"] + AUTHORIZE_PATH, params))


def _client(settings: Settings) -> tuple[str, Secret]:
    assert settings.client_id is not None
    assert settings.client_secret is not None
    return settings.client_id, settings.client_secret


def _token_request(body: Secret) -> Request:
    # Repeatable although a refresh token and a code are good once: where the reply to the first try is lost, a second
    # one gets a token if the first did nothing, and a refusal otherwise. It can lose nothing that is not lost.
    return Request(
        operation="token",
        method="POST",
        path=TOKEN_PATH,
        body=body.reveal().encode(),
        content_type="application/x-www-form-urlencoded",
        repeatable=True,
    )


def _digest(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _life(kept: Kept) -> float:
    return kept.until - time.time()
