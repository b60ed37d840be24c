"""The server, on this machine's loopback: what it answers, and that bad clients do not end it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading

import pytest

from tests.enforce.test_inspection import until
from twinwall.enforce import metrics_server
from twinwall.enforce.metrics import CONTENT_TYPE
from twinwall.enforce.metrics_server import Glance, MetricsServer, is_loopback
from twinwall.live.error import EnforcementError


@contextlib.contextmanager
def serving(look=lambda: "a 1\n"):
    said = []
    with MetricsServer("127.0.0.1", 0, look, said.append) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1], said
        finally:
            server.shutdown()
            thread.join()


def get(port, path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def answers(port):
    try:
        return get(port)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_metrics_are_served():
    with serving() as (port, _):
        assert get(port) == (200, CONTENT_TYPE, "a 1\n")


def test_nothing_else_is():
    with serving() as (port, _):
        status, _, text = get(port, "/../etc/passwd")
        assert (status, text) == (404, "metrics are at /metrics\n")


def test_a_kernel_that_cannot_be_asked_is_an_answer_and_the_server_goes_on():
    looks = iter([EnforcementError("ask", "it does not want to", "wait"), "b 2\n"])

    def look():
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    with serving(look) as (port, said):
        assert get(port)[0] == 503
        assert said == ["ask: it does not want to\n    hint: wait"]
        assert get(port)[2] == "b 2\n"


def test_a_client_that_says_nothing_or_nonsense_or_goes_away_does_not_end_it():
    with serving() as (port, said):
        silent = socket.create_connection(("127.0.0.1", port))
        for words in (b"\0\xff" * 100 + b"\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n", b"GET /metr"):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(words)
        with silent:
            assert get(port)[0] == 200
        assert said == []


def test_too_many_clients_are_turned_away_and_then_not():
    with serving() as (port, _), contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(metrics_server.MOST_REQUESTS)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            assert client.recv(1) == b""
        for each in held:
            each.close()
        until(lambda: answers(port))


def test_looks_are_shared_for_a_moment():
    now, looks = [0.0], iter(["first", "second"])
    glance = Glance(lambda: next(looks), lambda: now[0])
    assert [glance.text(), glance.text()] == ["first", "first"]
    now[0] += metrics_server.FRESH
    assert glance.text() == "second"


def test_an_address_that_is_taken_is_named():
    with serving() as (port, _), pytest.raises(EnforcementError, match=f"listen on 127.0.0.1 port {port}"):
        MetricsServer("127.0.0.1", port, str, print)


def test_which_addresses_are_loopback():
    assert [is_loopback(each) for each in ("127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "192.0.2.1", "::")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="does not appear"):
        is_loopback("localhost")
