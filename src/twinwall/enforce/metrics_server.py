"""Metrics on a port, for a Prometheus on the same machine.

Few requests at once, each with a deadline, nothing but GET of one path: whoever talks nonsense, or nothing, or goes away in the
middle, costs a thread for seconds at most and changes nothing.  Looks are one at a time, and at most one a second.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twinwall.enforce.metrics import CONTENT_TYPE
from twinwall.live.error import EnforcementError

MOST_REQUESTS = 8  # at once
PATIENCE = 5.0  # seconds for a request to arrive, and for its answer to be taken
FRESH = 1.0  # seconds for which a look is good enough
PATH = "/metrics"
LONGEST = 15.0  # seconds that one request may take altogether
SECONDS_TO_LOOK = 0.2  # how often the server looks whether it is to stop

Request = socket.socket | tuple[bytes, socket.socket]  # the base class's types
Client = tuple[str, int]


class Glance:
    """The newest look as text; several requests share one."""

    def __init__(self, look: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._lock = threading.Lock()
        self._text = ""
        self._at: float | None = None

    def text(self) -> str:
        """Raises `EnforcementError` if the kernel cannot be asked."""
        with self._lock:
            if self._at is None or self._clock() - self._at >= FRESH:
                self._text = self._look()
                self._at = self._clock()
            return self._text


class MetricsServer(ThreadingHTTPServer):
    """Serves what `look` prints.  `daemon_threads`: a request that hangs does not keep the program from ending."""

    daemon_threads = True
    request_queue_size = MOST_REQUESTS

    def __init__(self, address: str, port: int, look: Callable[[], str], say: Callable[[str], None]) -> None:
        """Raises `EnforcementError` if the address cannot be had."""
        self.glance, self.say = Glance(look), say
        self._free = threading.BoundedSemaphore(MOST_REQUESTS)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), Handler)
        except OSError as error:
            remedy = "choose another address or port with --listen"
            raise EnforcementError(f"listen on {address} port {port}", error.strerror or str(error), remedy) from error

    @property
    def where(self) -> str:
        """Address and port, as they stand in a URL."""
        address, port = str(self.server_address[0]), self.server_address[1]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def server_bind(self) -> None:
        """Without the look-up of this machine's name that http.server makes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Request, client_address: Client) -> None:
        """Beyond a few at once, a client is turned away."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Request, client_address: Client) -> None:
        """In a thread of its own, which ends when its time is over, however slowly the client talks."""
        end = threading.Timer(LONGEST, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: Request, client_address: Client) -> None:  # noqa: ARG002 - the base class's signature
        """A client that went away is no error; anything else is said, and the server goes on."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.say(f"a request for metrics failed: {error!r}")


def _cut(request: Request) -> None:
    with suppress(OSError):
        if isinstance(request, socket.socket):
            request.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: MetricsServer
    timeout = PATIENCE
    server_version = "twinwall"
    sys_version = ""

    def do_GET(self) -> None:
        """The metrics, or that there is nothing else here."""
        if self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"metrics are at {PATH}\n")
            return
        try:
            self._answer(HTTPStatus.OK, self.server.glance.text(), CONTENT_TYPE)
        except EnforcementError as error:
            self.server.say(str(error))
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.encode()
        with suppress(OSError):  # the client has gone
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine alone.  Raises `ValueError` if it is no address."""
    return ipaddress.ip_address(address).is_loopback
