"""A bound for the whole of a reply: the time-out of a socket begins anew with every byte that drips in."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Bounded(io.RawIOBase):
    """What a socket gives, until its time is over."""

    def __init__(self, below: io.RawIOBase, seconds: float) -> None:
        self._below = below
        self._ends = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if time.monotonic() >= self._ends:
            raise TimeoutError("the reply has begun, but takes too long to come to its end")
        return self._below.readinto(buffer)

    def close(self) -> None:
        self._below.close()
        super().close()


class BoundedAdapter(HTTPAdapter):
    """As the adapter of requests, but a reply, status line and headers included, is given up after so many seconds.

    Parameters
    ----------
    seconds : float
        How long a reply may take, beside the socket's own time-out for its last part.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _bound(self.poolmanager, self._seconds)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            _bound(manager, self._seconds)
        return manager


def _bound(manager: urllib3.PoolManager, seconds: float) -> None:
    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = io.BufferedReader(_Bounded(self.fp.detach(), seconds))

    def bounded(pool: Any) -> Any:
        # http.client prints all headers where a program has set its debuglevel for all connections.
        parts = {"response_class": Response, "debuglevel": 0}
        connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), parts)
        return type(pool.__name__, (pool,), {"ConnectionCls": connection})

    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: bounded(pool) for scheme, pool in pools.items()}
