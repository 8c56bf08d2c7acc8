"""A Bokeh server with a list of runs, and a live dashboard for one or several of them."""

from __future__ import annotations

import functools
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.plugins.errors import BadInput

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.server.server import BaseServer


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
    server, port = create_server(folder, port, host)
    # Bokeh logs warnings about closed tabs and about dashboards without charts: both are normal.
    for name in ("bokeh.server.views.ws", "bokeh.core.validation.check"):
        logging.getLogger(name).setLevel(logging.ERROR)
    on_ready(f"http://{host}:{port}/")
    try:
        server.run_until_shutdown()
    except KeyboardInterrupt:
        server.stop()


def create_server(folder: Path, port: int = 0, host: str = "127.0.0.1") -> tuple[BaseServer, int]:
    """Create a server that already listens, and return it with its port.

    The arguments are those of `serve`.
    """
    from bokeh.server.server import BaseServer
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop

    from gandiag.reports.server.guard import GuardedTornado
    from gandiag.reports.server.handlers import build_url_patterns

    if not folder.is_dir():
        raise BadInput(str(folder), "no such folder; gandiag run creates one below reports/")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        problem = f"cannot listen there: {(error.strerror or str(error)).lower()}"
        raise BadInput(f"{host}:{port}", problem) from error
    application = GuardedTornado(
        {"/dashboard": functools.partial(_open_dashboard, folder)},
        host,
        extra_patterns=build_url_patterns(folder),
        # By default Bokeh itself would answer at "/", where the list of runs is.
        use_index=False,
    )
    http_server = HTTPServer(application)
    listener.setblocking(False)  # as tornado expects it
    http_server.add_socket(listener)
    port = int(listener.getsockname()[1])
    return BaseServer(IOLoop.current(), application, http_server), port


def _open_dashboard(folder: Path, document: Document) -> None:
    """Fill the document of a newly opened dashboard."""
    from gandiag.reports.server.dashboard import open_dashboard

    arguments: dict[str, list[Any]] = document.session_context.request.arguments
    open_dashboard(
        folder, [name.decode("utf-8", "replace") for name in arguments.get("run", ())], document
    )
