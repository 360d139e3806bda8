"""The base class of Data, Account, Dashboard, Schedule, Team and User."""

from __future__ import annotations

import inspect
from typing import Any, Self, cast

from pandas_clicdata._ipython import shown_briefly
from pandas_clicdata._models import Secret
from pandas_clicdata.client.api import Client
from pandas_clicdata.session import Session, client_of, conceal, resolve_session


class Resource:
    """One area of the API, in one account.

    Parameters
    ----------
    session : Session, optional
        The session to use. Default: the one of :func:`connect`, looked up at each use.
    **connection_params
        The parameters of a :class:`Session`, which is then used. Not together with ``session``.
    """

    _own: Session | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(cls, name, shown_briefly(method))

    def __init__(self, session: Session | None = None, **connection_params: Any) -> None:
        # Concealed first, so that a traceback with locals shows no secret.
        conceal(connection_params)
        own = session if session is None or isinstance(session, Session) else cast(Session, Secret(session))
        session = None
        if own is not None and connection_params:
            raise TypeError(f"{type(self).__name__}() takes a session or the parameters of one, not both.")
        if own is not None:
            own = resolve_session(own)
        elif connection_params:
            own = Session(**connection_params)
        self._own = own

    @property
    def session(self) -> Session:
        """The session that this object uses.

        Raises
        ------
        NoCredentialsError
            There is no default session, and there are no credentials for one.

        Examples
        --------
        >>> import pandas_clicdata as cd
        >>> session = cd.connect("sandbox")
        >>> cd.Data().session is session
        True
        """
        return resolve_session(self._own)

    @property
    def _client(self) -> Client:
        return client_of(self._own)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Where the pickle is loaded, the default session may be on another account.
        return {**vars(self), "_own": self.session}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {'the default session' if self._own is None else repr(self._own)}>"
