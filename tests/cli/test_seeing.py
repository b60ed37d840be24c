"""The commands together on a host that enforces a policy: `apply`, `inspect`, `log`, `connections`, with a real neighbour."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess

import pytest

from tests.cli.running import PROGRAM, ROOT, twinwall
from tests.cli.test_log import logging
from tests.enforce.test_inspection import until
from tests.live.namespace import namespace
from twinwall.live import queue_rule
from twinwall.live.nfqueue import queues

pytestmark = pytest.mark.kernel

HERE, THERE = "10.9.0.1", "10.9.0.2"
LOOKED, STOPPED, REPORTED, PLAIN = 9000, 9001, 9003, 9004
POLICY = f"""
twinwall: 1
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass udp any any -> any {LOOKED} (inspect; sid:100;)
    drop udp any any -> any {STOPPED} (inspect; sid:101;)
    drop udp any any -> any {REPORTED} (msg:"no"; sid:102;)
    pass udp any any -> any {PLAIN} (sid:103;)
attach: {{mode: host, outside: [fw0]}}
"""


@pytest.fixture
def policy(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_STATE", str(tmp_path / "state"))
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def neighbour(policy, capsys):
    """A namespace with a link to the host's, which enforces the policy; the test's thread is on the host."""
    with namespace() as host, namespace() as there:
        host.run("ip", "link", "add", "fw0", "type", "veth", "peer", "name", "o0", "netns", str(there.holder.pid))
        for space, link, address in ((host, "fw0", HERE), (there, "o0", THERE)):
            space.run("ip", "addr", "add", f"{address}/24", "dev", link)
            space.run("ip", "link", "set", link, "up")
        with host.entered():
            if not queue_rule.target_works():
                pytest.skip("this kernel has no NFQUEUE target (nft_compat, xt_NFQUEUE)")
            assert twinwall("apply", policy, "--yes", "--stateless", "nft") == 0, capsys.readouterr().err
            capsys.readouterr()
            yield there


@contextlib.contextmanager
def listening(*ports):
    """Receivers on the host by port."""
    with contextlib.ExitStack() as stack:
        made = {port: stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for port in ports}
        for port, receiver in made.items():
            receiver.bind((HERE, port))
        yield made


@contextlib.contextmanager
def client(there):
    """A socket of the neighbour: one source port, so one flow for each destination port."""
    with there.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        yield lambda port, text=b"x": sender.sendto(text, (HERE, port))


@contextlib.contextmanager
def inspecting():
    """The program, once it receives the queue."""
    running = subprocess.Popen([*PROGRAM, "inspect"], stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        until(lambda: queues() or running.poll() is not None)
        assert running.poll() is None
        yield running
    finally:
        running.kill()
        running.wait()


def arrives(receiver, seconds=5):
    return bool(select.select([receiver], [], [], seconds)[0]) and receiver.recv(100)


def test_an_inspected_flow_is_decided_once(neighbour, capsys):
    with inspecting(), listening(LOOKED, STOPPED) as heard, client(neighbour) as send:
        for text in (b"one", b"two", b"three"):
            send(LOOKED, text)
            send(STOPPED, text)
            assert arrives(heard[LOOKED]) == text
        assert not arrives(heard[STOPPED], 0)
        # One packet of the passed flow; of the dropped one, which Linux forgets, each.
        assert sum(rule.packets for rule in queue_rule.describe()) == 1 + 3
        assert twinwall("connections", "--json", "udp", f":{LOOKED}") == 0
    (connection,) = json.loads(capsys.readouterr().out)["connections"]
    assert (connection["sid"], connection["verdict"], connection["generation"]) == (100, "pass", 1)
    assert connection["to_server"]["packets"] == 3


def test_without_an_inspector_its_packets_are_dropped_and_others_are_not(neighbour):
    with listening(LOOKED, PLAIN) as heard, client(neighbour) as send:
        with inspecting() as program:
            send(LOOKED, b"before")
            assert arrives(heard[LOOKED]) == b"before"
            program.send_signal(signal.SIGKILL)
            until(lambda: not queues())
        with client(neighbour) as another:
            another(LOOKED, b"while dead")
            another(PLAIN, b"plain")
            assert arrives(heard[PLAIN]) == b"plain"
            assert not arrives(heard[LOOKED], 0)
            send(LOOKED, b"decided before")
            assert arrives(heard[LOOKED]) == b"decided before"
            with inspecting():
                another(LOOKED, b"after")
                assert arrives(heard[LOOKED]) == b"after"


def test_the_log_names_the_rule_and_the_connection(neighbour):
    with logging("--follow") as running, listening(REPORTED, PLAIN), client(neighbour) as send:
        send(REPORTED)
        alert, drop = (json.loads(running.stdout.readline()) for _ in range(2))
        send(PLAIN)
        until(lambda: twinwall("connections", "--kill", f":{PLAIN}", "--json") == 0)
        flow = json.loads(running.stdout.readline())
        running.terminate()
        running.stdout.read()
    assert (alert["event_type"], alert["alert"]["signature_id"], alert["in_iface"]) == ("alert", 102, "fw0")
    assert (drop["event_type"], drop["flow_id"]) == ("drop", alert["flow_id"])
    assert (flow["event_type"], flow["dest_port"], flow["flow"]["action"]) == ("flow", PLAIN, "pass")
    assert flow["flow"]["pkts_toserver"] == 1


def test_a_rule_is_named_by_its_own_policy_across_a_change(neighbour, policy):
    with logging("--follow") as running, client(neighbour) as send:
        send(REPORTED)
        first = json.loads(running.stdout.readline())
        running.stdout.readline()
        policy.write_text(POLICY.replace(f"{LOOKED} (inspect; sid:100;)", "7 (sid:98;)").replace("sid:102", "sid:202"))
        assert twinwall("apply", policy, "--yes", "--stateless", "nft") == 0
        send(REPORTED)
        second = json.loads(running.stdout.readline())
        running.terminate()
        running.stdout.read()
    assert [record["alert"]["signature_id"] for record in (first, second)] == [102, 202]
