"""What a sandbox offers, in this process or in another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pandas_clicdata.sandbox.dashboards import Dashboards
from pandas_clicdata.sandbox.faults import Faults
from pandas_clicdata.sandbox.feeds import Feeds
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.oauth import OAuth
from pandas_clicdata.sandbox.requestlog import RequestLog
from pandas_clicdata.sandbox.schedules import Schedules
from pandas_clicdata.sandbox.seed import Seeder, Seeding
from pandas_clicdata.sandbox.sources import Sources


@dataclass(frozen=True)
class Parts:
    """The parts of a sandbox whose marked methods are the control API.

    In the process of the sandbox they are the parts themselves, elsewhere they are made by `remote`.
    """

    oauth: OAuth
    dashboards: Dashboards
    feeds: Feeds
    schedules: Schedules
    sources: Sources
    seeder: Seeder
    ledger: Ledger
    faults: Faults
    requests: RequestLog


class BaseSandbox(ABC):
    """What `Sandbox` and `RemoteSandbox` have in common.

    Attributes
    ----------
    faults : Faults
        The scripted faults.
    requests : RequestLog
        The log of requests.
    """

    faults: Faults
    requests: RequestLog

    @abstractmethod
    def _parts(self) -> Parts:
        """Return the parts; raise RuntimeError if the sandbox does not run."""

    # address and credentials

    @property
    @abstractmethod
    def url(self) -> str:
        """The base URL for a client."""

    @property
    def port(self) -> int:
        """The port on which the sandbox listens."""
        return urlsplit(self.url).port or 80

    @property
    def client_id(self) -> str:
        """The id of the only client."""
        return self._parts().oauth.sign_in()["client_id"]

    @property
    def client_secret(self) -> str:
        """The secret of the only client."""
        return self._parts().oauth.sign_in()["client_secret"]

    @property
    def username(self) -> str:
        """The e-mail address of the user who owns the account."""
        return self._parts().oauth.sign_in()["username"]

    @property
    def password(self) -> str:
        """The password of the user who owns the account."""
        return self._parts().oauth.sign_in()["password"]

    @property
    def api_key(self) -> str:
        """The API key of the account."""
        return self._parts().oauth.sign_in()["api_key"]

    @property
    def control_key(self) -> str:
        """The key with which a `RemoteSandbox` scripts faults and reads the ledger."""
        return self._parts().oauth.sign_in()["control_key"]

    def authorize(self, redirect_uri: str, scope: str | None = None) -> str:
        """Return an authorization code, as if the user had agreed in a browser.

        Parameters
        ----------
        redirect_uri : str
            The address for which the code is valid.
        scope : str, optional
            Scopes, separated by spaces. None: all scopes of the client.

        Returns
        -------
        str
            The code. It is valid once, for 60 seconds.
        """
        return self._parts().oauth.authorize(redirect_uri, scope)

    # content

    @property
    def ledger(self) -> Ledger:
        """The rows that the sandbox has committed."""
        return self._parts().ledger

    @property
    def sources(self) -> Path:
        """The folder with the files that feed tables; a sandbox in memory removes it when it stops."""
        return self._parts().sources.folder()

    def put_source(self, name: str, content: str | bytes) -> None:
        """Write a file into the folder `sources`, or replace it.

        Parameters
        ----------
        name : str
            Name of the file, which ends with ``.csv`` or ``.parquet``.
        content : str or bytes
            Content of the file; text is written as UTF-8.

        Raises
        ------
        ValueError
            The name is not a plain file name, or the content is too large to be sent to another process.
        """
        self._parts().sources.put(name, content)

    def feed(
        self, name: str, file: str, *, key: Sequence[str] | None = None, history: bool = True, description: str = ""
    ) -> int:
        """Create a table from a CSV or Parquet file in the folder `sources` and load the file.

        Parameters
        ----------
        name : str
            Name of the table.
        file : str
            Name of the file.
        key : list of str, optional
            The columns of the unique key, by which a refresh finds rows to update.
        history : bool, default True
            Keep a version of the table for each change.
        description : str, default ""
            Description of the table.

        Returns
        -------
        int
            The RecId of the table.

        Raises
        ------
        ValueError
            The file cannot be read, its columns do not fit a table, or the name is taken.
        """
        return self._parts().feeds.feed(name, file, key=key, history=history, description=description)

    def schedule(self, name: str, *, tables: Sequence[str | int], method: str, description: str = "") -> int:
        """Create a schedule that refreshes tables when it is triggered.

        Parameters
        ----------
        name : str
            Name of the schedule.
        tables : list of str or int
            Names or ids of the tables.
        method : {"recreate", "reload", "append", "update", "updateappend"}
            How each table is refreshed.
        description : str, default ""
            Description of the schedule.

        Returns
        -------
        int
            The id of the schedule.

        Raises
        ------
        ValueError
            An argument does not fit, or the name is taken.
        LookupError
            No table has one of the names or ids.
        """
        return self._parts().schedules.add(name, tables, method, description)

    def dashboard(self, name: str, *, table: int | str, description: str = "") -> int:
        """Create a dashboard that draws a table.

        Parameters
        ----------
        name : str
            Name of the dashboard.
        table : int or str
            Id or name of the table.
        description : str, default ""
            Description of the dashboard.

        Returns
        -------
        int
            The id of the dashboard.

        Raises
        ------
        ValueError
            An argument does not fit, or the name is taken.
        LookupError
            No table has this id or name.
        """
        return self._parts().dashboards.create(name, table, description)

    def seed(self) -> Seeding:
        """Add a small company to look at: tables with real data, dashboards, schedules, users and teams.

        Existing content is not changed, also if it has a name of the company's. A data folder is seeded only once.

        Returns
        -------
        Seeding
            What was added, and what was left out.

        Examples
        --------
        >>> from pandas_clicdata.sandbox import Sandbox
        >>> with Sandbox() as sandbox:
        ...     len(sandbox.seed().added), sandbox.ledger.count("Penguins"), sandbox.seed().added
        (18, 344, ())
        """
        return self._parts().seeder.seed()

    def connect(self, **parameters: Any) -> Any:
        """Connect to this sandbox with ``pandas_clicdata.connect``.

        Parameters
        ----------
        **parameters
            Parameters of ``connect``; they replace the sandbox's own.

        Returns
        -------
        pandas_clicdata.Session
            The session, which becomes the default session.
        """
        from pandas_clicdata import connect

        # The settings of an account do not apply to the sandbox.
        own = {"base_url": self.url, "api_version": "auto"}
        # Not in a variable, so that a traceback with locals shows no secret.
        return connect(**{**own, "client_id": self.client_id, "client_secret": self.client_secret, **parameters})
