"""The shared session: an account and its settings, and the default session of calls without ``session=``."""

from __future__ import annotations

import atexit
import contextlib
import html
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from pandas_clicdata import _config
from pandas_clicdata._checks import check_whole_number
from pandas_clicdata._config import SECRET_NAMES, SETTING_NAMES, Settings, concealed, resolve
from pandas_clicdata._display import badge, facts_view, in_notebook, sentence
from pandas_clicdata._docstrings import parameters_from
from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import (
    DEFAULT_TIMEOUT,
    MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES,
    AccountInfo,
    RetryPolicy,
    Secret,
    WriteResult,
)
from pandas_clicdata._threads import fork_lock, reset_after_fork
from pandas_clicdata.client.api import Client
from pandas_clicdata.client.auth import Authenticator, DeferredAuthenticator, authenticator
from pandas_clicdata.errors import (
    AuthenticationError,
    ClicDataError,
    ConfigurationError,
    NotCheckedWarning,
    PermissionDeniedError,
)

if TYPE_CHECKING:
    from pandas_clicdata.client.transport import Transport

logger: logging.Logger = logging.getLogger(__name__)

_CHECK_SECONDS = 5.0
_ATTRIBUTES = frozenset({"_client", "_options", "_profile", "_settings"})


class Session:
    """One account of ClicData. Safe to share between threads.

    Each setting that is not given comes from an environment variable (``CLICDATA_CLIENT_ID``,
    ``CLICDATA_CLIENT_SECRET``, ``CLICDATA_USERNAME``, ``CLICDATA_PASSWORD``, ``CLICDATA_API_KEY``,
    ``CLICDATA_REDIRECT_URI``, ``CLICDATA_REFRESH_TOKEN``, ``CLICDATA_TOKEN_FILE``, ``CLICDATA_AUTH_METHOD``,
    ``CLICDATA_API_VERSION``, ``CLICDATA_BASE_URL``, ``CLICDATA_SERVICE_PROFILE``), or else from a profile in a file
    that only its owner may read: the
    profile named by ``profile`` or ``CLICDATA_PROFILE``, or else ``default``. An empty or blank value counts as not
    set.

    Parameters
    ----------
    auth_method : {"client_credentials", "basic", "api_key", "authorization_code"}, optional
        How to sign in. Default: the method that the given credentials belong to.
    client_id, client_secret : str, optional
        For ``client_credentials`` and ``authorization_code``; ``client_id`` also for ``basic``.
    username, password : str, optional
        The e-mail address and the password, for ``basic``.
    api_key : str, optional
        The key, for ``api_key``.
    code, redirect_uri : str, optional
        For ``authorization_code``: the code that the browser brings back from :func:`authorization_url`, and the
        address that it is sent back to. The first request exchanges the code, which expires soon, for tokens. If the
        same code is given again, the session uses the tokens that it was exchanged for.
    code_verifier : str, optional
        For ``authorization_code``: the text whose challenge was passed to :func:`authorization_url` (PKCE, RFC 7636).
    refresh_token : str, optional
        For ``authorization_code``: a refresh token to start with, instead of a code.
    token_file : path-like, optional
        For ``authorization_code``: the file that stores the tokens, readable by you alone. A refresh token works once
        and yields the next one, which is written to disk before the session continues. Default: a file per client id
        and ``base_url`` in your state folder. Without a code and a refresh token, a session uses the latest sign-in in
        the file. Several processes can share the file.
    api_version : str, default "auto"
        ``"auto"`` detects the dialect with the first request; else ``"unversioned"``, or a version such as
        ``"2025.3"``.
    service_profile : path-like, optional
        The file that keeps what :func:`doctor` and the first writes find out about the service, so that several
        machines can share it. It is created when something is found out. Default: a file for the account in your state
        folder.
    base_url : str, default "https://api.clicdata.com"
        The address of the API. An ``http`` address is accepted for this machine only.
    profile : str, optional
        The profile to use.
    timeout : float or (float, float), default (10, 60)
        Seconds to wait for a connection, and for each part of a request or a reply. Sending a complete request may take
        ten times the latter, and so may a complete reply. Each attempt has this time.
    retry : RetryPolicy, optional
        When a request that is safe to repeat is sent again.
    verify : bool or str, optional
        As in requests: the path of a CA bundle, or False. With False, the certificate of the service is not checked, so
        another machine can pass for the service and read the credentials.
    proxies : dict, optional
        As in requests. Default: the proxies of the environment.
    max_request_bytes : int, default 8388608
        Maximum size of the body of an insert. Batches of wide rows hold fewer rows because of it; a single row that is
        larger is sent anyway. A batch that the service refuses as too large (HTTP 413) is halved.
    max_reply_bytes : int, default 536870912
        Maximum size of a reply. Reading a larger one raises :class:`ReplyTooLargeError`.

    Raises
    ------
    NoCredentialsError
        No credentials are given, set in the environment or found in the profile.
    ConfigurationError
        The credentials are incomplete, or a setting is wrong or unsafe.

    Notes
    -----
    White space around a value is removed; around a password and the path of a token file, only line ends. The session's
    HTML view, an info log and the error for refused credentials say so.

    Copying a session, also with ``copy.deepcopy``, returns the session itself. A pickled session contains no
    credentials and no proxies. After unpickling, it reads the credentials from the environment and the profile when it
    first needs them, and refuses those of another account.

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
        code_verifier: str | Secret | None = None,
        refresh_token: str | Secret | None = None,
        token_file: str | os.PathLike[str] | None = None,
        api_version: str | None = None,
        service_profile: str | os.PathLike[str] | None = None,
        base_url: str | None = None,
        profile: str | None = None,
        timeout: float | tuple[float, float] = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str | Secret] | None = None,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        # Rebound first, so that a traceback with locals shows no secret.
        client_secret, password, api_key = Secret.of(client_secret), Secret.of(password), Secret.of(api_key)
        code, refresh_token = Secret.of(code), Secret.of(refresh_token)
        code_verifier = Secret.of(code_verifier)
        auth_method = _config.concealed("auth_method", auth_method)
        base_url = _config.concealed("base_url", base_url)
        proxies = _config.concealed("proxies", proxies)
        _check_proxies(proxies)
        options = {
            "timeout": timeout,
            "retry": retry,
            "verify": verify,
            "max_request_bytes": check_whole_number("max_request_bytes", max_request_bytes, least=1),
            "max_reply_bytes": check_whole_number("max_reply_bytes", max_reply_bytes, least=1),
        }
        settings = self._resolve(
            {
                "auth_method": auth_method,
                "client_id": client_id,
                "client_secret": client_secret,
                "username": username,
                "password": password,
                "api_key": api_key,
                "code": code,
                "code_verifier": code_verifier,
                "redirect_uri": redirect_uri,
                "refresh_token": refresh_token,
                "token_file": os.fspath(token_file) if isinstance(token_file, os.PathLike) else token_file,
                "api_version": api_version,
                "service_profile": (
                    os.fspath(service_profile) if isinstance(service_profile, os.PathLike) else service_profile
                ),
                "base_url": base_url,
            },
            profile,
        )
        for note in settings.notes:
            logger.info(note)
        self._open(settings, profile, options, cast("dict[str, Secret]", proxies or {}), authenticator)

    def _resolve(self, given: Mapping[str, str | Secret | None], profile: str | None) -> Settings:
        """Complete the settings; a subclass may use other sources."""
        return resolve(given, profile)

    def _open(
        self,
        settings: Settings,
        profile: str | None,
        options: dict[str, Any],
        proxies: dict[str, Secret],
        authenticator_of: Callable[[Settings, Transport], Authenticator],
    ) -> None:
        # The network libraries load with the first session, not with the import of this package.
        with fork_lock:
            from pandas_clicdata.client.transport import Transport

        self._settings = settings
        self._profile = profile
        self._options = options
        transport = Transport(
            settings.base_url,
            timeout=options["timeout"],
            retry=options["retry"],
            verify=options["verify"],
            proxies=proxies,
            # The proxies of the environment do not apply to this machine.
            trust_environment=not _config.is_loopback(settings.base_url),
            max_reply_bytes=options["max_reply_bytes"],
        )
        self._client = Client(
            settings, authenticator_of(settings, transport), transport, int(options["max_request_bytes"])
        )

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self._settings.base_url

    @property
    def auth_method(self) -> str:
        """The way in which this session signs in."""
        return self._settings.auth_method

    @shown_briefly
    def whoami(self) -> AccountInfo:
        """Return the account of this session, which also checks the credentials.

        Returns
        -------
        AccountInfo
            ``id``, ``name`` and ``domain`` where the service states them, and ``fields``, all that it states.

        Raises
        ------
        AuthenticationError
            ClicData refuses the credentials.
        TransportError
            No reply arrived.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> cd.connect("sandbox").whoami().name
        'Sandbox'
        """
        return AccountInfo.from_fields(self._client.account())

    def close(self) -> None:
        """Close the session's connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if "_client" not in vars(self):
            # In a traceback with locals, if the settings were refused.
            return "<Session that could not be made>"
        dialect = self._client.known_dialect or "dialect not known yet"
        found = self._profile_date()
        return f"<Session {self.auth_method} at {self.base_url}, {dialect}{found and f', service profile of {found}'}>"

    def _profile_date(self) -> str:
        """Return the date of the service profile; empty without one, or if the account is not known yet."""
        try:
            return self._client.service_profile.date or ""
        except ClicDataError:
            return ""

    def _repr_html_(self) -> str:
        if "_client" not in vars(self):
            return html.escape(repr(self))
        unchecked = self._options["verify"] is False
        return facts_view(
            "ClicData session",
            [
                ("address", self.base_url),
                ("signs in by", self.auth_method),
                ("dialect", self._client.known_dialect or "not known yet"),
                *([("service profile", f"of {found}")] if (found := self._profile_date()) else []),
            ],
            mark=badge("certificate not checked", "careful", "The session has verify=False.") if unchecked else "",
            below="".join(map(sentence, self._settings.notes)),
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        settings = self._settings
        hidden: dict[str, Any] = dict.fromkeys(SECRET_NAMES)
        public = replace(settings, **hidden, sources=())
        found = (type(self), public, self._profile, self._options, self._client.authenticator.identity())
        # All other attributes belong to a subclass.
        return _load, found, {name: value for name, value in vars(self).items() if name not in _ATTRIBUTES}


def _check_proxies(concealed: object) -> None:
    """Refuse proxies that are not a dict; their values are already concealed.

    Raises
    ------
    ConfigurationError
        They are not a dict.
    """
    if isinstance(concealed, Secret):
        kind = type(concealed.reveal()).__name__
        raise ConfigurationError(
            f"proxies= must be a dict of scheme and address, not {kind}. For example:"
            " proxies={'https': 'http://proxy.example:8080'}"
        )


def _load(
    kind: type[Session], settings: Settings, profile: str | None, options: dict[str, Any], identity: str
) -> Session:
    """Load a session from its pickle."""
    session = kind.__new__(kind)
    session._open(
        settings,
        profile,
        options,
        {},
        lambda settings, transport: DeferredAuthenticator(settings, profile, identity, transport),
    )
    return session


def conceal(connection_params: dict[str, Any]) -> None:
    """Wrap the secrets among the parameters of a session.

    The dict is changed in place, because a traceback may show it as a local variable.
    """
    for name, value in connection_params.items():
        connection_params[name] = concealed(name, value)


class SessionManager:
    """Holds the parameters of a session, and makes one session from them on first use.

    With parameters, its session becomes the default session, until another one does or the ``with`` block ends. Without
    parameters, the default session stays the same. Settings that are not given come from the environment and the
    profile; if these change, the next use makes a new session.

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

    # Also defined where a traceback shows a manager whose parameters were refused.
    _session: Session | None = None

    def __init__(self, **connection_params: Any) -> None:
        conceal(connection_params)
        _check_proxies(connection_params.get("proxies"))
        self._params = connection_params
        self._bound = False
        self._after_fork()
        reset_after_fork(self)
        # The default session of the constructor lasts until the manager is used in a ``with`` block.
        self._is_default_since_init = bool(connection_params)
        if self._is_default_since_init:
            _default.push(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def session(self) -> Session:
        """The session, made on first use.

        Raises
        ------
        NoCredentialsError
            There are no credentials in the parameters, the environment or the profile.
        """
        with self._lock:
            if self._session is None or (not self._bound and self._session._settings != self._current_settings()):
                # The old session stays open, because another thread may use it.
                self._session, self._bound = Session(**self._params), False
            return self._session

    def _current_settings(self) -> Settings:
        """Return the settings that a session would have if it were made now."""
        return resolve({name: self._params.get(name) for name in SETTING_NAMES}, self._params.get("profile"))

    def _bind(self, session: Session | None, *, bound: bool = True) -> None:
        """Use this session from now on; None makes a new one on the next use."""
        with self._lock:
            self._session, self._bound = session, bound

    @classmethod
    def get_session(cls) -> Session:
        """Return the default session, which every function uses that is not given another one.

        Returns
        -------
        Session
            The session of the last :func:`connect`, ``SessionManager(…)`` or :meth:`bind_session`; without one, a
            session made from the environment or the profile.

        Raises
        ------
        NoCredentialsError
            There is no such session, and there are no credentials for one.
        """
        return default_session()

    @classmethod
    @shown_briefly
    def bind_session(cls, session: Session) -> None:
        """Make a session the default session.

        Parameters
        ----------
        session : Session
            The session.

        Raises
        ------
        TypeError
            ``session`` is not a Session.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> cd.SessionManager.bind_session(session)
        >>> cd.SessionManager.get_session() is session
        True
        """
        if not isinstance(session, Session):
            # It may be a secret, and a traceback may show the local variables.
            session = cast(Session, Secret.of(session))
        _default.replace(checked_session(session, "The argument of bind_session must be"))

    def close(self) -> None:
        """Close the session and forget it; the next use makes a new one."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        if self._is_default_since_init:
            _default.remove(self)
            self._is_default_since_init = False
        if self._params:
            _default.push(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_default_since_init = False
        _default.remove(self)
        self.close()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A SessionManager cannot be pickled, because it holds credentials. Pickle its session instead, which"
            " contains none: manager.session"
        )

    def __repr__(self) -> str:
        return f"<SessionManager: {self._session!r}>" if self._session else "<SessionManager: no session yet>"

    def _repr_html_(self) -> str:
        return facts_view("ClicData session: none yet", ()) if self._session is None else self._session._repr_html_()


class _DefaultSession:
    """Where the default session comes from: first the environment or a profile.

    Attributes
    ----------
    managers : list of SessionManager
        A stack; the last one provides the session.
    sandbox : Sandbox or None
        The sandbox of this process, once it is started.
    """

    def __init__(self) -> None:
        self.managers = [SessionManager()]
        self.sandbox: Any = None
        self._after_fork()
        reset_after_fork(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def current(self) -> SessionManager:
        return self.managers[-1]

    def replace(self, session: Session | None) -> None:
        """Make this session the default one; managers keep theirs."""
        manager = SessionManager()
        manager._bind(session)
        self.managers = [manager]

    def push(self, manager: SessionManager) -> None:
        """Use this manager's session until the manager is removed."""
        with self._lock:
            self.managers = [*self.managers, manager]

    def remove(self, manager: SessionManager) -> None:
        """Return to the last manager that was pushed before and is not removed."""
        with self._lock:
            kept = list(self.managers)
            if manager in kept:
                del kept[max(place for place, each in enumerate(kept) if each is manager)]
            self.managers = kept or [SessionManager()]


# importlib.reload keeps it; otherwise the next write would go to the account of the environment.
_default: _DefaultSession = globals().get("_default") or _DefaultSession()


@shown_briefly
@parameters_from(Session)
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
    code_verifier: str | Secret | None = None,
    refresh_token: str | Secret | None = None,
    token_file: str | os.PathLike[str] | None = None,
    api_version: str | None = None,
    service_profile: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    profile: str | None = None,
    timeout: float | tuple[float, float] = DEFAULT_TIMEOUT,
    retry: RetryPolicy | None = None,
    verify: bool | str | None = None,
    proxies: Mapping[str, str | Secret] | None = None,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    max_reply_bytes: int = MAX_REPLY_BYTES,
    check: bool | None = None,
) -> Session:
    """Make a session and use it as the default session.

    In a notebook, a token is fetched at once if the flow needs one, so wrong credentials show here. Elsewhere, no
    request is sent yet. ``check`` changes this.

    Parameters
    ----------
    target : {"sandbox"}, optional
        ``"sandbox"`` starts an emulator of ClicData on this machine, which ends with the process. It needs the extra
        ``pandas-clicdata[sandbox]``.
    {auth_method}
    {client_id, client_secret}
    {username, password}
    {api_key}
    {code, redirect_uri}
    {code_verifier}
    {refresh_token}
    {token_file}
    {api_version}
    {service_profile}
    {base_url}
    {profile}
    {timeout}
    {retry}
    {verify}
    {proxies}
    {max_request_bytes}
    {max_reply_bytes}
    check : bool, optional
        Whether to check the credentials now. Default: in a notebook (a kernel of IPython), for ``client_credentials``
        and ``authorization_code``, which need a token: it is requested for at most 5 seconds. If ClicData refuses the
        credentials, the error is raised. If they could not be checked, because of a time-out, a missing network, or
        HTTP status 403, which a proxy or firewall may send, there is a :class:`NotCheckedWarning`, and the session
        signs in with its first request. With True, they are checked everywhere and for all methods, with ``timeout``
        and ``retry``, and every failure is raised; for ``basic`` and ``api_key``, the account is read, and there is a
        warning if it may not be read. With False, no request is sent.

    Returns
    -------
    Session
        The session.

    Raises
    ------
    NoCredentialsError
        No credentials are given, set in the environment or found in the profile.
    ConfigurationError
        The credentials are incomplete, or a setting is wrong or unsafe.
    AuthenticationError
        ClicData refuses the credentials. The default session stays the same.
    TransportError, ApiError
        With ``check=True``: the credentials could not be checked.

    See Also
    --------
    Session : A session that does not become the default one.
    SessionManager : A default session for the length of a ``with`` block.
    login : Ask for the credentials, check them and store them in a profile.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.connect(api_key="hush", base_url="http://localhost:8484")
    <Session api_key at http://localhost:8484, dialect not known yet>
    """
    # Rebound first, so that a traceback with locals shows no secret.
    client_secret, password, api_key = Secret.of(client_secret), Secret.of(password), Secret.of(api_key)
    code, refresh_token = Secret.of(code), Secret.of(refresh_token)
    code_verifier = Secret.of(code_verifier)
    auth_method = concealed("auth_method", auth_method)
    base_url, proxies = concealed("base_url", base_url), concealed("proxies", proxies)
    profile_name = "…" if target in (None, "sandbox") else _config.profile_name(target)
    is_sandbox, is_account, target = target == "sandbox", target is None, None
    if check is not None and not isinstance(check, bool):
        # The value is not quoted, because it may be a secret meant for another parameter.
        check = None
        raise TypeError("check= must be True, False or None.")
    account: dict[str, Any] = {
        "auth_method": auth_method,
        "client_id": client_id,
        "client_secret": client_secret,
        "username": username,
        "password": password,
        "api_key": api_key,
        "code": code,
        "code_verifier": code_verifier,
        "redirect_uri": redirect_uri,
        "refresh_token": refresh_token,
        "token_file": token_file,
        "base_url": base_url,
        "profile": profile,
    }
    options: dict[str, Any] = {
        "api_version": api_version,
        "service_profile": service_profile,
        "timeout": timeout,
        "retry": retry,
        "verify": verify,
        "max_request_bytes": max_request_bytes,
        "max_reply_bytes": max_reply_bytes,
        "proxies": proxies,
    }
    if is_account:
        session = Session(**account, **options)
    elif is_sandbox:
        session = _sandbox_session(account, options)
    else:
        raise ConfigurationError(
            'connect() takes the target "sandbox" only. To connect to an account, name its profile:'
            f' cd.connect(profile="{profile_name}"); or pass its credentials: cd.connect(client_id=…, client_secret=…).'
            " Another address is passed as base_url=."
        )
    try:
        note = _check_credentials(session, check)
    except BaseException:
        session.close()
        raise
    _default.replace(session)
    if note:
        # Without a file, because Python would print the line of the call, which may contain credentials.
        warnings.warn_explicit(note, NotCheckedWarning, "pandas_clicdata.connect", 0)
    return session


def _check_credentials(session: Session, check: bool | None) -> str:
    """Check credentials as ``connect(check=…)`` states; return the reason if they could not be checked.

    Raises
    ------
    ConfigurationError, AuthenticationError
        They are refused, or cannot be sent.
    ClicDataError
        They could not be checked, with ``check=True``.
    """
    authenticator = session._client.authenticator
    reason: ClicDataError
    if check:
        if authenticator.check(None):
            return ""
        try:
            session.whoami()
        except PermissionDeniedError as exc:
            reason = exc
        else:
            return ""
    elif check is None and in_notebook():
        try:
            authenticator.check(_CHECK_SECONDS)
        except ClicDataError as exc:
            # Whoever is between here and ClicData may send a 403, too.
            refused = isinstance(exc, AuthenticationError) and exc.status != 403
            if refused or isinstance(exc, ConfigurationError) or getattr(exc, "status", None) == 401:
                raise
            reason = exc
        else:
            return ""
    else:
        return ""
    return f"The credentials are not checked yet; the first request signs in. {' '.join(str(reason).split())}"


def default_session() -> Session:
    """Return the default session: the last one that was bound, or one made from the environment or the profile.

    Raises
    ------
    NoCredentialsError
        There is no such session, and there are no credentials for one.
    """
    return _default.current.session


def checked_session(session: object, what: str) -> Session:
    """Return the session, if it is one.

    Raises
    ------
    TypeError
        It is not a Session, or it is one of an earlier import of this package, whose classes differ.
    """
    if isinstance(session, Session):
        return session
    # The value is not quoted, because it may be a secret meant for another parameter.
    kind = type(session.reveal() if isinstance(session, Secret) else session)
    del session
    hint = ""
    if (kind.__module__, kind.__name__) == (Session.__module__, Session.__name__):
        hint = " It was made before pandas_clicdata was imported again; call cd.connect(…) again."
    raise TypeError(f"{what} a Session, as returned by cd.connect(…), not {kind.__name__}.{hint}")


@contextlib.contextmanager
def preserve_default_session() -> Iterator[None]:
    """Restore the default session when the block ends."""
    managers = _default.managers
    session, bound = managers[-1]._session, managers[-1]._bound
    try:
        yield
    finally:
        managers[-1]._bind(session, bound=bound)
        _default.managers = managers


def _sandbox_session(account: Mapping[str, Any], options: Mapping[str, Any]) -> Session:
    if any(value is not None for value in account.values()):
        raise ConfigurationError('connect("sandbox") takes no credentials and no address: it makes its own account.')
    sandbox = _sandbox_of_process()
    if options["api_version"] is None:
        # The version in the environment or the profile belongs to the real account.
        options = {**options, "api_version": "auto"}
    session = Session(
        client_id=sandbox.client_id, client_secret=Secret(sandbox.client_secret), base_url=sandbox.url, **options
    )
    session._client.outlives_process = False
    session._client.service_profile.in_memory = True
    return session


def _sandbox_of_process() -> Any:
    """Return the sandbox of this process, started on first use; its tables last until the process ends."""
    if _default.sandbox is not None:
        return _default.sandbox
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
            f"The sandbox needs threads, and none can be started ({exc}). Start it in a process of its own with:"
            " clicdata sandbox"
        ) from exc
    _default.sandbox = sandbox
    atexit.register(sandbox.stop)
    return sandbox


def resolve_session(session: Session | None, table: object = None) -> Session:
    """Return the given session; without one, that of the receipt which identifies the table, or the default session.

    Raises
    ------
    TypeError
        ``session`` is not a Session.
    NoCredentialsError
        There is no default session, and there are no credentials for one.
    """
    if session is not None:
        return checked_session(session, "session= must be")
    # Another account may have another table with the same RecId.
    own = table._session if isinstance(table, WriteResult) else None
    return default_session() if own is None else own


def client_of(session: Session | None, table: object = None) -> Client:
    """Return the client of the session that :func:`resolve_session` returns.

    Raises
    ------
    TypeError
        ``session`` is not a Session.
    NoCredentialsError
        There is no default session, and there are no credentials for one.
    """
    return resolve_session(session, table)._client
