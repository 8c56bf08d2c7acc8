"""Bokeh's server with a list of runs, and a board of charts for one or several of them."""

from __future__ import annotations

import functools
import ipaddress
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.plugins.errors import BadInput

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.server.server import Server


def serve(
    folder: Path, port: int = 5006, host: str = "127.0.0.1", told: Callable[[str], None] = print
) -> None:
    """Serve the runs below a folder until interrupted.

    Args:
        folder: where the runs are; new ones may come.
        port: where to listen; 0 picks a free one.
        host: IPv4 address or name to listen on. Where it is not a loopback one, others can look.
        told: called with the page's address once it can be opened.

    Raises:
        BadInput: there is no such folder, or the address cannot be listened on.
    """
    server = create_server(folder, port, host)
    # Bokeh warns of tabs that are closed too early for it, and of boards without charts
    for name in ("bokeh.server.views.ws", "bokeh.core.validation.check"):
        logging.getLogger(name).setLevel(logging.ERROR)
    told(f"http://{host}:{server.port}/")
    try:
        server.run_until_shutdown()
    except KeyboardInterrupt:
        server.stop()


def create_server(folder: Path, port: int = 0, host: str = "127.0.0.1") -> Server:
    """A server that listens already; see `serve`."""
    from bokeh.server.server import Server

    from gandiag.reports.server.handlers import build_url_patterns

    if not folder.is_dir():
        raise BadInput(str(folder), "no such folder; gandiag run makes one below reports/")
    applications = {"/board": functools.partial(_open_dashboard, folder)}
    # a page elsewhere that a browser has open may not connect: it must come from this server
    names = sorted({"localhost", host}) if _is_loopback(host) else ["*"]
    try:
        port = _find_free_port(host, port)
        return Server(
            applications,
            port=port,
            address=host,
            allow_websocket_origin=[f"{name}:{port}" for name in names],
            extra_patterns=build_url_patterns(folder, frozenset(names)),
            use_index=False,
            use_xheaders=False,
        )
    except OSError as error:
        problem = f"cannot listen there: {(error.strerror or str(error)).lower()}"
        raise BadInput(f"{host}:{port}", problem) from error


def _open_dashboard(folder: Path, document: Document) -> None:
    """Fill the document of somebody who opened a board."""
    from gandiag.reports.server.dashboard import open_dashboard

    asked: dict[str, list[Any]] = document.session_context.request.arguments
    open_dashboard(
        folder, [name.decode("utf-8", "replace") for name in asked.get("run", ())], document
    )


def _find_free_port(host: str, port: int) -> int:
    """That port, or any if it is 0, if nobody listens on it.

    Bokeh wants to know it before it binds one, and leaves a socket open where it cannot.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as tornado does
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
