"""Refuses the requests of other sites on every path, Bokeh's own and the websocket included.

A page of another site in the same browser can send requests to this server. It could read the
answers under a name of its own that it points to this computer (DNS rebinding), or by a websocket.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from bokeh.server.tornado import BokehTornado
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import ErrorHandler


class GuardedTornado(BokehTornado):  # type: ignore[misc]  # bokeh has no types for it
    """Bokeh's application, which answers 403 to requests of other sites."""

    def __init__(self, applications: Any, host: str, **options: Any) -> None:
        """Create the application.

        Args:
            applications: Bokeh's applications by path.
            host: address or name on which the server listens.
            **options: as of `BokehTornado`.
        """
        # Bokeh allows its own list of origins only; `find_handler` has refused the others before.
        super().__init__(applications, extra_websocket_origins=["*"], **options)
        self._host = host

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> HTTPMessageDelegate:
        """The handler of a request."""
        found: HTTPMessageDelegate = (
            super().find_handler(request, **options)
            if is_own_request(request, self._host)
            else self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})
        )
        return found


def is_own_request(request: HTTPServerRequest, host: str) -> bool:
    """Whether a request names this server as its host, and comes from a page of this server.

    Args:
        request: the request.
        host: address or name on which the server listens.
    """
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        is_own_origin = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
    except ValueError:  # such as half of the brackets of an IPv6 address
        return False
    # Browsers send no Origin with pictures and frames, but say where the request comes from.
    site = request.headers.get("Sec-Fetch-Site", "none")
    is_link = request.headers.get("Sec-Fetch-Dest") == "document"
    return _is_own_name(name, host) and is_own_origin and (site in _OWN_SITES or is_link)


_OWN_SITES = ("none", "same-origin")  # typed into the address bar, or from a page of this server


def _is_own_name(name: str, host: str) -> bool:
    if name in ("localhost", host):
        return True
    if is_loopback(host):
        return False
    # Other computers reach this one by an address, which no site can rebind, or by its name.
    return _is_address(name) or name in (own := socket.gethostname().lower(), f"{own}.local")


def is_loopback(host: str) -> bool:
    """Whether only programs on this computer can reach the host."""
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
