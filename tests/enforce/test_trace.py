"""Traced packets against the real kernel: the same words as `explain`'s, in both forms of the stateless stage."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from tests.cli.running import twinwall
from tests.enforce.test_inspection import until
from tests.enforce.watched import ALONE, ELSE, HERE, OPEN, PASSED, POLICY, SHUT, THERE, sender, watched
from tests.live.kernel import ebpf_or_skip
from tests.live.namespace import namespace
from twinwall.enforce.rulebook import RulesInForce
from twinwall.enforce.state import State
from twinwall.enforce.trace import Tracer
from twinwall.enforce.trace_filter import parse_packet_filter
from twinwall.enforce.trace_knowledge import KernelKnowledge

pytestmark = pytest.mark.kernel

TCP_POLICY = """
twinwall: 1
stateful:
  order: strict
  default: [drop_established]
  rules: |
    alert tcp any any -> any 80 (msg:"seen"; flow:to_server; sid:99;)
    pass tcp any any <> any 80 (msg:"web"; sid:100;)
    reject tcp any any -> any 81 (msg:"no"; sid:101;)
attach: {mode: host, outside: [fw0]}
"""

FAST_POLICY = """
twinwall: 1
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass tcp any any -> any 443 (flow:to_server; sid:100;)
    pass tcp any 443 -> any any (flow:to_client; sid:101;)
attach: {mode: host, outside: [fw0]}
"""


@pytest.fixture(params=["xdp", "nft"])
def way(request):
    if request.param == "xdp":
        ebpf_or_skip()
    return request.param


@contextlib.contextmanager
def tracing(words=""):
    with KernelKnowledge(RulesInForce(State())) as knowledge, Tracer(parse_packet_filter(words), knowledge) as tracer:
        yield tracer


def stories(tracer, count):
    found = []

    def enough():
        found.extend(tracer.stories(0.05))
        return len(found) >= count

    until(enough)
    assert not tracer.lost
    return found


def texts(story, section=None):
    return [line.text for line in story.lines if section in (None, line.section)]


def tables():
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def test_rules_of_both_stages_are_named(tmp_path, monkeypatch, way):
    with watched(tmp_path, monkeypatch, "--stateless", way) as there, tracing("udp") as tracer, sender(there) as send:
        told = {}
        for port in (OPEN, SHUT, PASSED, ELSE):
            send(port)
            (told[port],) = stories(tracer, 1)
    assert (told[OPEN].verdict, told[OPEN].reason, told[OPEN].rule.sid) == ("pass", "rule_flow", 100)
    assert texts(told[OPEN], "stateful") == [
        "the rules are asked about a packet to the server",
        'rule 100 "open" matches',
        'the verdict of rule 100 "open" holds for the whole flow',
        'rule 100 "open" decides the packet',
    ]
    assert texts(told[OPEN], "stateless")[0] == "no rule matches; the default action is forward"
    assert (told[SHUT].verdict, told[SHUT].rule.sid) == ("drop", 101)
    assert "it is reported to the log" in texts(told[SHUT])
    assert (told[PASSED].verdict, told[PASSED].reason, told[PASSED].rule.sid) == ("pass", "stateless_rule", 11)
    assert texts(told[PASSED], "stateless")[0] == 'rule 11 "untracked" is the first that matches'
    assert (told[ELSE].verdict, told[ELSE].reason) == ("drop", "default_drop_strict")


def test_the_trackers_label_is_told(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there, tracing("udp") as tracer, sender(there) as send:
        send(OPEN)
        (story,) = stories(tracer, 1)
    if not texts(story, "tracker"):
        pytest.skip("before Linux 6.14 a trace does not say what the tracker knows")
    assert texts(story, "tracker") == ["the label is NEW, original direction"]


def test_a_packet_of_a_decided_flow_names_the_rule_that_decided(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there, tracing("udp") as tracer, sender(there) as send:
        send(OPEN)
        send(OPEN)
        story = stories(tracer, 2)[1]
    assert (story.reason, story.rule.sid) == ("flow_pass", 100)
    assert "the flow was decided before: pass" in texts(story)


def test_what_the_netdev_table_drops_is_traced(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there, tracing("udp") as tracer, sender(there) as send:
        send(ALONE)
        (story,) = stories(tracer, 1)
    assert (story.verdict, story.reason, story.rule.sid) == ("drop", "stateless_rule", 10)


def test_a_conversation_with_an_alert_a_pass_and_a_reject(tmp_path, monkeypatch):
    with (
        watched(tmp_path, monkeypatch, "--stateless", "nft", policy=TCP_POLICY) as there,
        tracing("tcp") as tracer,
        socket.create_server((HERE, 80)),
    ):
        with there.entered():
            client, other = socket.socket(), socket.socket()
        with client, other:
            client.connect((HERE, 80))
            opening, answer, _ = stories(tracer, 3)[:3]
            with pytest.raises(ConnectionRefusedError):
                other.connect((HERE, 81))
            refused, reset = stories(tracer, 2)
    assert [each.rule.sid for each in opening.lines if each.text.endswith("matches")] == [99, 100]
    assert (opening.verdict, opening.rule.sid) == ("pass", 100)
    assert (answer.title.split()[-1], answer.reason) == ("S.", "flow_pass")
    assert (refused.verdict, refused.rule.sid) == ("reject", 101)
    assert texts(refused, "sends") == ["a TCP reset to the packet's sender"]
    assert (reset.verdict, reset.reason) == ("pass", "answer")


def test_the_fast_path_names_the_rule_that_is_not_asked_again(tmp_path, monkeypatch):
    with (
        watched(tmp_path, monkeypatch, "--stateless", "nft", policy=FAST_POLICY) as there,
        tracing(f"tcp > {HERE}") as tracer,
        socket.create_server((HERE, 443)) as server,
    ):
        with there.entered():
            client = socket.create_connection((HERE, 443), timeout=10)
        with client, server.accept()[0] as accepted:
            for text in (b"one", b"two", b"three"):
                client.sendall(text)
                accepted.recv(10)
            told = stories(tracer, 5)
    assert [story.rule.sid for story in told] == [100] * len(told)
    assert {(story.verdict, story.reason) for story in told} == {("pass", "rule")}
    assert "the same packets of this flow were asked about before: no rule is asked again" in texts(told[-1])


@pytest.fixture
def bridged(tmp_path, monkeypatch, way):
    """The left end of a bridge that enforces a policy; the test's thread is on the bridge."""
    monkeypatch.setenv("TWINWALL_STATE", str(tmp_path / "state"))
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("mode: host, outside: [fw0]", "mode: bridge, inside: [p0], outside: [p1]"))
    with namespace() as bridge, namespace() as left, namespace() as right:
        try:
            bridge.run("ip", "link", "add", "br0", "up", "type", "bridge")
        except RuntimeError as error:
            pytest.skip(f"no bridge here: {error}")
        for port, space, address in (("p0", left, THERE), ("p1", right, HERE)):
            bridge.run("ip", "link", "add", port, "type", "veth", "peer", "name", "e0", "netns", str(space.holder.pid))
            bridge.run("ip", "link", "set", port, "master", "br0", "up")
            space.run("ip", "addr", "add", f"{address}/24", "dev", "e0")
            space.run("ip", "link", "set", "e0", "up")
        with bridge.entered():
            assert twinwall("apply", path, "--yes", "--stateless", way) == 0
            yield left


def test_what_is_bridged_is_traced_from_the_bridge_on(bridged):
    with tracing("udp") as tracer, sender(bridged) as send:
        send(SHUT)
        (story,) = stories(tracer, 1)
    assert (story.verdict, story.rule.sid) == ("drop", 101)
    assert texts(story, "stateless") == [
        "no rule matches; the default action is forward",
        "the stage's action is forward",
    ]


def test_another_table_that_drops_is_named(tmp_path, monkeypatch):
    theirs = (
        f"table inet theirs {{ chain in {{ type filter hook input priority 10; policy accept; udp dport {OPEN} drop; }}; }}"
    )
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there:
        subprocess.run(["nft", theirs], check=True)
        with tracing("udp") as tracer, sender(there) as send:
            send(OPEN)
            (story,) = stories(tracer, 1)
    assert (story.verdict, story.reason) == ("drop", "elsewhere")
    assert any("table inet theirs, chain in" in text for text in texts(story, "elsewhere"))


def test_only_what_was_asked_for_is_traced(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft") as there, sender(there) as send:
        with tracing(f"udp {THERE} > :{SHUT}") as tracer:
            send(OPEN)
            send(SHUT)
            (story,) = stories(tracer, 1)
        assert story.title.endswith(f":{SHUT}")
        assert "trace" not in tables()


def test_a_killed_trace_leaves_nothing(tmp_path, monkeypatch):
    with watched(tmp_path, monkeypatch, "--stateless", "nft"):
        child = os.fork()
        if child == 0:
            with tracing():
                signal.pause()
        try:
            until(lambda: f"twinwall_trace_{child}" in tables())
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        until(lambda: "trace" not in tables())
