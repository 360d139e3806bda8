"""The session that everything uses which is given no other, and the sandbox behind ``connect("sandbox")``."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, cast

from pandas_clicdata.config import SETTING_NAMES, Settings, concealed, resolve
from pandas_clicdata.errors import ConfigurationError
from pandas_clicdata.models import DEFAULT_TIMEOUT, MAX_REPLY_BYTES, MAX_REQUEST_BYTES, RetryPolicy, Secret
from pandas_clicdata.session.session import Session, refuse_no_proxies
from pandas_clicdata.threads import renew_in_children


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
    hint = ""
    if (type(session).__module__, type(session).__name__) == (Session.__module__, Session.__name__):
        hint = " It was made before pandas_clicdata was imported again: connect again."
    # Not quoted, because it may be a secret that was meant for another parameter.
    kind = type(session.reveal() if isinstance(session, Secret) else session).__name__
    del session
    raise TypeError(f"{what} a Session, as cd.connect(…) and cd.Session(…) make one, not {kind}.{hint}")


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
