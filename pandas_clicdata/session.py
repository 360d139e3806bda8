"""The shared session: one account, how it signs in, and the default session that functions use without ``session=``."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast

from pandas_clicdata import _config
from pandas_clicdata._checks import whole_number
from pandas_clicdata._config import SETTING_NAMES, Settings, concealed, resolve
from pandas_clicdata._display import facts_html
from pandas_clicdata._models import (
    DEFAULT_TIMEOUT,
    MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES,
    AccountInfo,
    Exchange,
    Reply,
    Request,
    RetryPolicy,
    Secret,
    Sent,
)
from pandas_clicdata._threads import forks_wait, renew_in_children
from pandas_clicdata.client.auth import Authenticator, LookedUpLater, account_label, authenticator
from pandas_clicdata.client.dialects import Dialect, Unversioned, dialect_for, dialect_of
from pandas_clicdata.errors import AuthenticationError, ClicDataError, ConfigurationError, TransportError

logger = logging.getLogger(__name__)

T = TypeVar("T")
_PARTS = frozenset({"_authenticator", "_dialect", "_dialect_lock", "_options", "_profile", "_settings", "_transport"})


class Session:
    """One account of ClicData, signed in. Safe to share between threads.

    A copy of a session, also a deep one, is the session itself. A pickle of it holds no credentials and no proxies. A
    session that is loaded from a pickle looks its credentials up in the environment and profile of its process when
    they are first needed, and uses none but those of the account that was pickled.

    Each setting that is not given is taken from the environment (``CLICDATA_CLIENT_ID``, ``CLICDATA_CLIENT_SECRET``,
    ``CLICDATA_USERNAME``, ``CLICDATA_PASSWORD``, ``CLICDATA_API_KEY``, ``CLICDATA_REDIRECT_URI``,
    ``CLICDATA_REFRESH_TOKEN``, ``CLICDATA_TOKEN_FILE``, ``CLICDATA_AUTH_METHOD``, ``CLICDATA_API_VERSION``,
    ``CLICDATA_BASE_URL``), else from a profile in a file that only its owner may read: the one named by ``profile`` or
    ``CLICDATA_PROFILE``, else ``default``. A variable or a profile's setting that is empty or blank counts as not set.

    White space around a value is removed, wherever the value comes from; around a password and the path of a token file
    only line ends, because blanks may be part of these. The session's HTML, an info log and the error for credentials
    that are refused say so.

    Parameters
    ----------
    auth_method : {"client_credentials", "basic", "api_key", "authorization_code"}, optional
        How to sign in. Default: as the credentials given suggest.
    client_id, client_secret : str, optional
        For ``client_credentials`` and ``authorization_code`` (S P); ``client_id`` also for ``basic``.
    username, password : str, optional
        The e-mail address and password, for ``basic`` (P).
    api_key : str, optional
        For ``api_key`` (P).
    code, redirect_uri : str, optional
        For ``authorization_code`` (P): what the browser brought back from :func:`authorization_url`, and the address
        that it was sent back to. The first request exchanges the code for tokens; a code is not good for long. The same
        code given again goes on with the tokens that it was exchanged for.
    refresh_token : str, optional
        For ``authorization_code``, in the place of a code: begin with this one (P).
    token_file : path-like, optional
        For ``authorization_code``: where the tokens are kept, for you alone to read. Each use of a refresh token is its
        last, and brings the next one (P), so that one is on the disk before the session goes on. Default: a file for
        each client id and ``base_url``, in your folder for the state of programs. With neither a code nor a refresh
        token a session goes on with the latest sign-in of the file. Several processes can share it.
    api_version : str, default "auto"
        ``"auto"`` finds out on first use; else ``"unversioned"``, or a version such as ``"2025.3"``.
    base_url : str, default "https://api.clicdata.com"
        Where the API is (P). http is for this machine only.
    profile : str, optional
        The profile in the file to use.
    timeout : float or (float, float), default (10, 60)
        Seconds to wait for a connection, and for each part of a reply, a part being whatever comes at once. The whole
        reply may take ten times the latter, counted from when the request is sent; only the sending has no such bound.
        Each try has this time anew.
    retry : RetryPolicy, optional
        When requests that can be repeated without harm are sent again.
    verify : bool or str, optional
        As in requests: the path of a CA bundle, or False.
    proxies : dict, optional
        As in requests, which also reads the environment's.
    max_request_bytes : int, default 8388608
        How large the body of an insert may be. Batches of wide rows carry fewer rows because of it; a single row that
        is larger is sent all the same. A batch that the service refuses as too large (HTTP 413) is halved.
    max_reply_bytes : int, default 536870912
        How large a reply may be. The reading of a larger one ends with :class:`ReplyTooLargeError`.

    Raises
    ------
    NoCredentialsError
        There are no credentials anywhere.
    ConfigurationError
        They are incomplete, or a setting is wrong or unsafe.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.Session(client_id="acme", client_secret="hush", base_url="http://localhost:8484")
    >>> session
    <Session client_credentials at http://localhost:8484, dialect not known yet>
    """

    def __init__(
        self,
        auth_method: str | None = None,
        client_id: str | None = None,
        client_secret: str | Secret | None = None,
        username: str | None = None,
        password: str | Secret | None = None,
        api_key: str | Secret | None = None,
        *,
        code: str | Secret | None = None,
        redirect_uri: str | None = None,
        refresh_token: str | Secret | None = None,
        token_file: str | os.PathLike[str] | None = None,
        api_version: str | None = None,
        base_url: str | None = None,
        profile: str | None = None,
        timeout: float | tuple[float, float] = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str | Secret] | None = None,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        # Rebound at once, so that a traceback with locals shows no secret.
        client_secret, password, api_key = Secret.of(client_secret), Secret.of(password), Secret.of(api_key)
        code, refresh_token = Secret.of(code), Secret.of(refresh_token)
        auth_method = _config.concealed("auth_method", auth_method)
        base_url = _config.concealed("base_url", base_url)
        proxies = _config.concealed("proxies", proxies)
        refuse_no_proxies(proxies)
        options = {
            "timeout": timeout,
            "retry": retry,
            "verify": verify,
            "max_request_bytes": whole_number("max_request_bytes", max_request_bytes, least=1),
            "max_reply_bytes": whole_number("max_reply_bytes", max_reply_bytes, least=1),
        }
        settings = _config.resolve(
            {
                "auth_method": auth_method,
                "client_id": client_id,
                "client_secret": client_secret,
                "username": username,
                "password": password,
                "api_key": api_key,
                "code": code,
                "redirect_uri": redirect_uri,
                "refresh_token": refresh_token,
                "token_file": os.fspath(token_file) if isinstance(token_file, os.PathLike) else token_file,
                "api_version": api_version,
                "base_url": base_url,
            },
            profile,
        )
        for note in settings.notes:
            logger.info(note)
        self._open(settings, profile, options, cast("dict[str, Secret]", proxies or {}))
        self._authenticator: Authenticator = authenticator(settings, self._transport)

    def _open(
        self, settings: Settings, profile: str | None, options: dict[str, Any], proxies: dict[str, Secret]
    ) -> None:
        # The network's libraries load with the first session, not with every import of this package.
        with forks_wait:
            from pandas_clicdata.client.transport import Transport

        self._settings = settings
        self._profile = profile
        self._options = options
        # A proxy for the outside is not asked for this machine.
        trust_environment = not _config.is_loopback(self.base_url)
        of_transport = {name: value for name, value in options.items() if name != "max_request_bytes"}
        self._transport = Transport(self.base_url, proxies=proxies, trust_environment=trust_environment, **of_transport)
        self._dialect: Dialect | None = (
            None if self._settings.api_version == "auto" else dialect_for(self._settings.api_version)
        )
        self._dialect_lock = threading.Lock()
        renew_in_children(self)

    def _after_fork(self) -> None:
        """Begin a forked child: a thread of the parent may hold the lock."""
        self._dialect_lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._settings.base_url

    @property
    def auth_method(self) -> str:
        """How this session signs in."""
        return self._settings.auth_method

    @property
    def account_label(self) -> str:
        """Where and as which client, user, API key or sign-in this session works, without secrets.

        Two sessions with the same label are on the same account. The reverse does not hold: a new API key, and a new
        sign-in with an authorization code, count as another account, for nothing tells that they are not.
        """
        return account_label(self._settings, self._authenticator.identity())

    @property
    def dialect(self) -> Dialect:
        """The dialect the account is answered in; found out by one request the first time."""
        if self._dialect is None:
            with self._dialect_lock:
                if self._dialect is None:
                    with self._noted():
                        self._dialect = dialect_of(self._send(Unversioned().account().request))
        return self._dialect

    @property
    def max_request_bytes(self) -> int:
        """How large the body of an insert may be."""
        return int(self._options["max_request_bytes"])

    @property
    def doubted(self) -> frozenset[int]:
        """The connections on which bytes came that no request asked for, by the numbers that ``Sent`` has."""
        return self._transport.doubted

    def perform(self, exchange: Exchange[T]) -> T:
        """Send a request and read its reply."""
        with self._noted():
            return _read(exchange, self._send(exchange.request))

    def perform_counting(self, exchange: Exchange[T]) -> tuple[T, Sent]:
        """Send a request and read its reply; also tell how often it had to be tried again, and what that may mean."""
        with self._noted():
            reply = self._send(exchange.request)
            result = _read(exchange, reply)
        return result, Sent(retries=reply.attempts - 1, perhaps_twice=reply.perhaps_done, connection=reply.connection)

    def in_sync(self, connection: int) -> bool | None:
        """Find out by one request whether the replies on this thread's connection belong to their requests.

        Parameters
        ----------
        connection : int
            The number of the connection.

        Returns
        -------
        bool or None
            False if the reply is one to an insert, so that the replies before it came one request too early. None if
            the request went over another connection, which shows nothing.

        Raises
        ------
        ClicDataError
            The request failed, or was refused. That may be meant for an insert.
        """
        probe = self.dialect.probe()
        reply = self._send(probe.request)
        if reply.attempts > 1:
            # The first try may have got the reply to an insert.
            raise TransportError(f"{probe.request.line} was answered only after {reply.attempts} tries.")
        return _read(probe, reply) if reply.connection == connection else None

    def whoami(self) -> AccountInfo:
        """Ask ClicData which account this session is on.

        Returns
        -------
        AccountInfo
            With ``id``, ``name``, ``domain`` where the service says them, and ``fields``: all that it said.

        Raises
        ------
        AuthenticationError
            The credentials are refused.
        """
        return self.perform(self.dialect.account())

    def close(self) -> None:
        """Close the session's connections."""
        self._transport.close()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Add to a refusal of the credentials what was removed from around them."""
        try:
            yield
        except AuthenticationError as exc:
            for note in self._settings.notes:
                exc.add_note(note)
            raise

    def _send(self, request: Request) -> Reply:
        headers = self._authenticator.headers()
        first = self._transport.send(request, headers, self._authenticator.secrets())
        if first.status != 401:
            return first
        try:
            if not self._authenticator.renew(headers):
                return first
            renewed = self._authenticator.headers()
            reply = self._transport.send(request, renewed, self._authenticator.secrets())
        except ClicDataError as exc:
            # Before it was refused, a try whose reply was lost may have done it.
            exc.ambiguous |= first.perhaps_done
            raise
        attempts, perhaps_done = first.attempts + reply.attempts, first.perhaps_done or reply.perhaps_done
        return replace(reply, attempts=attempts, perhaps_done=perhaps_done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if "_dialect_lock" not in vars(self):
            # In a traceback with locals, of settings that were refused.
            return "<Session that could not be made>"
        dialect = "dialect not known yet" if self._dialect is None else self._dialect.name
        return f"<Session {self.auth_method} at {self.base_url}, {dialect}>"

    def _repr_html_(self) -> str:
        dialect = "not known yet" if self._dialect is None else self._dialect.name
        return facts_html(
            "ClicData session",
            [
                ("address", self.base_url),
                ("signs in by", self.auth_method),
                ("dialect", dialect),
                *(("note", note) for note in self._settings.notes),
            ],
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        settings = self._settings
        public = replace(settings, client_secret=None, password=None, api_key=None, code=None, refresh_token=None)
        found = (type(self), public, self._profile, self._options, self._authenticator.identity())
        # What a subclass has beside these is its own.
        return _loaded, found, {name: value for name, value in vars(self).items() if name not in _PARTS}


def refuse_no_proxies(concealed: object) -> None:
    """Refuse proxies that are no dict, once they are concealed.

    Raises
    ------
    ConfigurationError
        They are not.
    """
    if isinstance(concealed, Secret):
        kind = type(concealed.reveal()).__name__
        raise ConfigurationError(
            f"proxies= is a dict of scheme and address, {{'https': 'http://proxy:8080'}}, not {kind}."
        )


def _read(exchange: Exchange[T], reply: Reply) -> T:
    try:
        return exchange.read(reply)
    except ClicDataError as exc:
        # The frames below hold the reply's fields, in which a service may quote the credentials it was sent.
        raise exc.with_traceback(None)  # noqa: B904


def _loaded(
    kind: type[Session], settings: Settings, profile: str | None, options: dict[str, Any], identity: str
) -> Session:
    """A session from its pickle."""
    session = kind.__new__(kind)
    session._open(settings, profile, options, {})
    session._authenticator = LookedUpLater(settings, profile, identity, session._transport)
    return session


def conceal(connection_params: dict[str, Any]) -> None:
    """Conceal what may be secret among the parameters of a session, in place.

    The caller's dict is changed, for it is among the local variables that a traceback may show.
    """
    for name, value in connection_params.items():
        connection_params[name] = concealed(name, value)


class LazySession:
    """The parameters of a session, and the one session made from them on first use.

    What is not among them comes from the environment and the profile file. Once these say something else, the next use
    makes another session: the account is always the one that they name.

    Parameters
    ----------
    **connection_params
        As for :class:`Session`.
    """

    # There also where a traceback shows one that could not be made.
    _session: Session | None = None

    def __init__(self, **connection_params: Any) -> None:
        conceal(connection_params)
        refuse_no_proxies(connection_params.get("proxies"))
        self._params = connection_params
        self._held = False
        self._after_fork()
        renew_in_children(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def session(self) -> Session:
        """The session, made on first use."""
        with self._lock:
            if self._session is None or (not self._held and self._session._settings != self._settings_now()):
                # An earlier one stays open, as another thread may be using it.
                self._session, self._held = Session(**self._params), False
            return self._session

    def _settings_now(self) -> Settings:
        """Return the settings of a session that would be made now."""
        return resolve({name: self._params.get(name) for name in SETTING_NAMES}, self._params.get("profile"))

    def peek(self) -> Session | None:
        """Return the session if there is one already."""
        return self._session

    @property
    def held(self) -> bool:
        """Whether the session was given, rather than made here."""
        return self._held

    def hold(self, session: Session | None, *, held: bool = True) -> None:
        """Let this session be the one from now on; None makes another on the next use."""
        with self._lock:
            self._session, self._held = session, held

    def close(self) -> None:
        """Close the session and forget it; the next use makes another."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} is not pickled, because it holds credentials. Pickle its session instead, which"
            " leaves them out: manager.session."
        )

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind}: {self._session!r}>" if self._session else f"<{kind}: no session yet>"


class _Shared:
    """Where the shared session comes from: at first the environment or a profile.

    Attributes
    ----------
    sources : list of LazySession
        The last is it. Those before it are what it was when a manager took its place.
    sandbox : Sandbox or None
        The sandbox of this process, once it is started.
    """

    def __init__(self) -> None:
        self.sources = [LazySession()]
        self.sandbox: Any = None
        self._after_fork()
        renew_in_children(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def source(self) -> LazySession:
        return self.sources[-1]

    def bind(self, session: Session | None) -> None:
        """Let this session be the shared one; what was before keeps its own."""
        source = LazySession()
        source.hold(session)
        self.sources = [source]

    def begin(self, source: LazySession) -> None:
        """Let the shared session come from here until it ends."""
        with self._lock:
            self.sources = [*self.sources, source]

    def end(self, source: LazySession) -> None:
        """Let it come no longer from here: the last that began and has not ended takes its place."""
        with self._lock:
            kept = list(self.sources)
            if source in kept:
                del kept[max(place for place, each in enumerate(kept) if each is source)]
            self.sources = kept or [LazySession()]


# Kept by importlib.reload, or the next write would go to the account of the environment.
_shared: _Shared = globals().get("_shared") or _Shared()


class SessionManager(LazySession):
    """Keeps the parameters of a session, and the one session made from them on first use.

    With parameters, its session is from now on the one that everything uses which is given no other, and again from
    the beginning of a ``with``; after that it is so no longer. Without, nothing changes.

    Parameters
    ----------
    **connection_params
        As for :class:`Session`.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> with cd.SessionManager(client_id="acme", client_secret="hush", base_url="http://localhost:8484") as manager:
    ...     cd.SessionManager.get_session() is manager.session is manager.session
    True
    """

    def __init__(self, **connection_params: Any) -> None:
        # Here too, for this dict is another one, and a traceback with locals shows both.
        conceal(connection_params)
        super().__init__(**connection_params)
        self._loose = bool(connection_params)
        if self._loose:
            _shared.begin(self)

    @classmethod
    def get_session(cls) -> Session:
        """Return the session that everything uses which is given no other.

        Returns
        -------
        Session
            That of the last :func:`connect`, ``SessionManager(…)`` or :meth:`bind_session`, else one made from the
            environment or profile.

        Raises
        ------
        NoCredentialsError
            There are no credentials anywhere.
        """
        return shared_session()

    @classmethod
    def bind_session(cls, session: Session) -> None:
        """Let this session be the one that everything uses which is given no other.

        Parameters
        ----------
        session : Session
            The session.

        Raises
        ------
        TypeError
            It is none.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> cd.SessionManager.bind_session(session)
        >>> cd.SessionManager.get_session() is session
        True
        """
        if not isinstance(session, Session):
            # It may be a secret, and a traceback may show all local variables.
            session = cast(Session, Secret.of(session))
        _shared.bind(checked_session(session, "bind_session takes"))

    def __enter__(self) -> Self:
        if self._loose:
            _shared.end(self)
            self._loose = False
        if self._params:
            _shared.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loose = False
        _shared.end(self)
        self.close()


def connect(
    target: str | None = None,
    *,
    auth_method: str | None = None,
    client_id: str | None = None,
    client_secret: str | Secret | None = None,
    username: str | None = None,
    password: str | Secret | None = None,
    api_key: str | Secret | None = None,
    code: str | Secret | None = None,
    redirect_uri: str | None = None,
    refresh_token: str | Secret | None = None,
    token_file: str | os.PathLike[str] | None = None,
    api_version: str | None = None,
    base_url: str | None = None,
    profile: str | None = None,
    timeout: float | tuple[float, float] = DEFAULT_TIMEOUT,
    retry: RetryPolicy | None = None,
    verify: bool | str | None = None,
    proxies: Mapping[str, str | Secret] | None = None,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    max_reply_bytes: int = MAX_REPLY_BYTES,
) -> Session:
    """Make a session and bind it as the one that everything uses which is given no other.

    Nothing is sent yet; ``connect(...).whoami()`` tries the credentials.

    Parameters
    ----------
    target : {"sandbox"}, optional
        ``"sandbox"`` starts a ClicData of your own on this machine, which ends with the process. It needs the extra
        ``pandas-clicdata[sandbox]``.
    auth_method, client_id, client_secret, username, password, api_key, code, redirect_uri, refresh_token, token_file
        As for :class:`Session`.
    api_version, base_url, profile, timeout, retry, verify, proxies, max_request_bytes, max_reply_bytes
        As for :class:`Session`.

    Returns
    -------
    Session

    Raises
    ------
    NoCredentialsError
        There are no credentials anywhere.
    ConfigurationError
        They are incomplete, or a setting is wrong or unsafe.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.connect(api_key="hush", base_url="http://localhost:8484")
    <Session api_key at http://localhost:8484, dialect not known yet>
    """
    # Rebound at once, so that a traceback with locals shows no secret.
    client_secret, password, api_key = Secret.of(client_secret), Secret.of(password), Secret.of(api_key)
    code, refresh_token = Secret.of(code), Secret.of(refresh_token)
    auth_method = concealed("auth_method", auth_method)
    base_url, proxies = concealed("base_url", base_url), concealed("proxies", proxies)
    is_sandbox, is_account, target = target == "sandbox", target is None, None
    where: dict[str, Any] = {
        "auth_method": auth_method,
        "client_id": client_id,
        "client_secret": client_secret,
        "username": username,
        "password": password,
        "api_key": api_key,
        "code": code,
        "redirect_uri": redirect_uri,
        "refresh_token": refresh_token,
        "token_file": token_file,
        "base_url": base_url,
        "profile": profile,
    }
    how: dict[str, Any] = {
        "api_version": api_version,
        "timeout": timeout,
        "retry": retry,
        "verify": verify,
        "max_request_bytes": max_request_bytes,
        "max_reply_bytes": max_reply_bytes,
    }
    how["proxies"] = proxies
    if is_account:
        session = Session(**where, **how)
    elif is_sandbox:
        session = _sandbox_session(where, how)
    else:
        raise ConfigurationError(
            'connect() takes one target by name, "sandbox"; for an account give client_id= and client_secret=, or'
            " another way to sign in."
        )
    _shared.bind(session)
    return session


def shared_session() -> Session:
    """Return the session that was bound last, or one made from the environment or profile.

    Raises
    ------
    NoCredentialsError
        There are no credentials anywhere.
    """
    return _shared.source.session


def checked_session(session: object, what: str) -> Session:
    """Return what is a session.

    Raises
    ------
    TypeError
        It is none, or one of an earlier import of this package, whose errors are other classes.
    """
    if isinstance(session, Session):
        return session
    # Not quoted, because it may be a secret that was meant for another parameter.
    kind = type(session.reveal() if isinstance(session, Secret) else session)
    del session
    hint = ""
    if (kind.__module__, kind.__name__) == (Session.__module__, Session.__name__):
        hint = " It was made before pandas_clicdata was imported again: connect again."
    raise TypeError(f"{what} a Session, as cd.connect(…) and cd.Session(…) make one, not {kind.__name__}.{hint}")


@contextlib.contextmanager
def shared_session_kept() -> Iterator[None]:
    """Afterwards, let the shared session be what it was before."""
    sources = _shared.sources
    session, held = sources[-1].peek(), sources[-1].held
    try:
        yield
    finally:
        sources[-1].hold(session, held=held)
        _shared.sources = sources


def _sandbox_session(where: Mapping[str, Any], how: Mapping[str, Any]) -> Session:
    if any(value is not None for value in where.values()):
        raise ConfigurationError('connect("sandbox") makes its own account; give it no credentials or address.')
    sandbox = _embedded_sandbox()
    if how["api_version"] is None:
        # What is set for the account is not meant for the sandbox.
        how = {**how, "api_version": "auto"}
    return Session(
        client_id=sandbox.client_id, client_secret=Secret(sandbox.client_secret), base_url=sandbox.url, **how
    )


def _embedded_sandbox() -> Any:
    """Return the sandbox of this process, started on first use; its tables stay until the process ends."""
    if _shared.sandbox is not None:
        return _shared.sandbox
    try:
        from pandas_clicdata.sandbox import Sandbox
    except ImportError as exc:
        raise ConfigurationError(
            f'The sandbox needs {exc.name}, which is not installed. Run: pip install "pandas-clicdata[sandbox]"'
        ) from exc
    try:
        sandbox = Sandbox().start()
    except RuntimeError as exc:
        raise ConfigurationError(
            f"The sandbox needs threads ({exc}). Run it in another process: the command clicdata sandbox prints how"
            " to connect to it."
        ) from exc
    _shared.sandbox = sandbox
    atexit.register(sandbox.stop)
    return sandbox


def resolved(session: Session | None) -> Session:
    """Return the session given, or the shared one.

    Raises
    ------
    TypeError
        What was given is no session.
    """
    return shared_session() if session is None else checked_session(session, "session= is")
