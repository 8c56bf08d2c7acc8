"""A Bokeh server with a list of runs, and a live dashboard for one or several of them."""

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
    folder: Path, port: int = 5006, host: str = "127.0.0.1", on_ready: Callable[[str], None] = print
) -> None:
    """Serve the runs below a folder until interrupted.

    Args:
        folder: folder with the runs; new runs are found while the server runs.
        port: port to listen on; 0 picks a free one.
        host: IPv4 address or host name to listen on. Unless it is a loopback address, other
            computers can open the pages.
        on_ready: called with the address of the list once it can be opened.

    Raises:
        BadInput: there is no such folder, or the server cannot listen on the address.
    """
    server = create_server(folder, port, host)
    # Bokeh logs warnings about closed tabs and about dashboards without charts: both are normal.
    for name in ("bokeh.server.views.ws", "bokeh.core.validation.check"):
        logging.getLogger(name).setLevel(logging.ERROR)
    on_ready(f"http://{host}:{server.port}/")
    try:
        server.run_until_shutdown()
    except KeyboardInterrupt:
        server.stop()


def create_server(folder: Path, port: int = 0, host: str = "127.0.0.1") -> Server:
    """Create a server that already listens; see `serve` for the arguments."""
    from bokeh.server.server import Server

    from gandiag.reports.server.handlers import build_url_patterns

    if not folder.is_dir():
        raise BadInput(str(folder), "no such folder; gandiag run creates one below reports/")
    applications = {"/dashboard": functools.partial(_open_dashboard, folder)}
    # Only pages of this server may open its websocket: a page of another site in the same browser
    # must not read the runs.
    names = sorted({"localhost", host}) if _is_loopback(host) else ["*"]
    try:
        port = _find_free_port(host, port)
        return Server(
            applications,
            port=port,
            address=host,
            allow_websocket_origin=[f"{name}:{port}" for name in names],
            extra_patterns=build_url_patterns(folder, frozenset(names)),
            # By default Bokeh itself would answer at "/", where the list of runs is.
            use_index=False,
            use_xheaders=False,
        )
    except OSError as error:
        problem = f"cannot listen there: {(error.strerror or str(error)).lower()}"
        raise BadInput(f"{host}:{port}", problem) from error


def _open_dashboard(folder: Path, document: Document) -> None:
    """Fill the document of a newly opened dashboard."""
    from gandiag.reports.server.dashboard import open_dashboard

    arguments: dict[str, list[Any]] = document.session_context.request.arguments
    open_dashboard(
        folder, [name.decode("utf-8", "replace") for name in arguments.get("run", ())], document
    )


def _find_free_port(host: str, port: int) -> int:
    """Return the port, or any free port for 0.

    Bokeh needs the number for its allowed origins before it binds the port, and leaves a socket
    open if it cannot bind.

    Raises:
        OSError: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as tornado sets it
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
