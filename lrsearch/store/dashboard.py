"""Optuna's dashboard over a study's storage, on this machine alone and to look at only."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from lrsearch.errors import UsageError
from lrsearch.store.storages import storage_to_read

HOST = "127.0.0.1"
"""The dashboard knows no passwords."""
_MISSING = "the dashboard is optuna-dashboard, which is not installed: pip install 'lrsearch[dashboard]'"
_READS = ("GET", "HEAD")

Respond = Callable[..., Any]
Application = Callable[[dict[str, Any], Respond], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    """A browser keeps connections open that it does not use, so each has a thread."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of each request."""


@contextmanager
def dashboard(url: str, port: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Open the dashboard over a storage; give its address, and what serves it until it is interrupted.

    Whatever would change a study is refused with 405: names, notes and deletions are not the dashboard's to make, and
    a search may be running. So is, with 403, a request by another name than this machine's, as a page elsewhere
    could make one.

    Args:
        url: of the storage.
        port: to listen on; 0 for a free one.

    Raises:
        UsageError: optuna-dashboard is not installed, the port is taken, or there is nothing in the storage.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise UsageError(_MISSING) from error
    with storage_to_read(url) as storage:
        if storage is None:
            raise UsageError("there is no storage yet; begin a search with: lrsearch run TASK.yaml")
        try:
            server = make_server(
                HOST, port, to_look_at(wsgi(storage)), server_class=_Server, handler_class=_Quiet
            )
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be listened on ({error.strerror}); give another with --port"
            ) from error
        with server:
            yield f"http://{HOST}:{server.server_port}/dashboard", server.serve_forever


def to_look_at(application: Application) -> Application:
    """Let requests through that read, and those alone."""

    def refuse(respond: Respond, status: str, reason: str) -> Iterable[bytes]:
        respond(status, [("Content-Type", "application/json")])
        return [json.dumps({"reason": reason}).encode()]

    def guarded(environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        if environ.get("HTTP_HOST", "").rpartition(":")[0] not in (HOST, "localhost"):
            return refuse(respond, "403 Forbidden", f"ask for {HOST}")
        if environ["REQUEST_METHOD"] not in _READS:
            return refuse(respond, "405 Method Not Allowed", "here studies are only looked at")
        return application(environ, respond)

    return guarded
