"""A host that enforces a policy, with a neighbour who sends to it: something to look at."""

from __future__ import annotations

import contextlib
import socket

from tests.cli.running import twinwall
from tests.live.namespace import namespace

HERE, THERE = "10.9.0.1", "10.9.0.2"
OPEN, SHUT, ALONE, PASSED, ELSE = 9000, 9001, 9002, 9003, 9004
POLICY = f"""
twinwall: 1
stateless:
  default: forward
  rules: |
    drop udp any any -> any {ALONE} (msg:"alone"; sid:10;)
    pass udp any any <> any {PASSED} (msg:"untracked"; sid:11;)
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass udp any any <> any {OPEN} (msg:"open"; sid:100;)
    drop udp any any -> any {SHUT} (msg:"shut"; sid:101;)
    drop tcp any any -> any 1 (msg:"never"; sid:102;)
attach: {{mode: host, outside: [fw0]}}
"""


@contextlib.contextmanager
def watched(folder, monkeypatch, *options, policy=POLICY):
    """The neighbour's namespace; the test's thread is on the host, and the policy is in force."""
    monkeypatch.setenv("TWINWALL_STATE", str(folder / "state"))
    path = folder / "policy.yaml"
    path.write_text(policy)
    with namespace() as host, namespace() as there:
        host.run("ip", "link", "add", "fw0", "type", "veth", "peer", "name", "o0", "netns", str(there.holder.pid))
        for space, link, address in ((host, "fw0", HERE), (there, "o0", THERE)):
            space.run("ip", "addr", "add", f"{address}/24", "dev", link)
            space.run("ip", "link", "set", link, "up")
        with host.entered():
            assert twinwall("apply", path, "--yes", *options) == 0
            yield there


@contextlib.contextmanager
def sender(there):
    """A function that sends a datagram to a port of the host from the neighbour's one port, and returns that."""
    with there.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:

        def send(port, text=b"x"):
            made.sendto(text, (HERE, port))
            return made.getsockname()[1]

        yield send
