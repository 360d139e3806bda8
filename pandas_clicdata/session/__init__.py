"""The shared session: who is signed in where, and which dialect is spoken there."""

from pandas_clicdata.auth import authorization_url
from pandas_clicdata.session.session import Session
from pandas_clicdata.session.shared import (
    SessionManager,
    checked_session,
    conceal,
    connect,
    shared_session,
    shared_session_kept,
)

__all__ = [
    "Session",
    "SessionManager",
    "authorization_url",
    "checked_session",
    "conceal",
    "connect",
    "shared_session",
    "shared_session_kept",
]
