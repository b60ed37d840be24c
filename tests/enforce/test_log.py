"""The event log against the real kernel: what rules report and which connections end."""

from __future__ import annotations

import socket

import pytest

from tests.live.namespace import namespace
from twinwall.enforce.log import EventLog, decoding_machine, flow_row, interface_name
from twinwall.enforce.rulebook import FixedRules, RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.engine.machine import InterpretedMachine, NativeMachine
from twinwall.live.connection import ConntrackEntry, FiveTuple, Status
from twinwall.live.conntrack import ConnectionTable
from twinwall.live.netlink import NetlinkError
from twinwall.live.nflog import LogGroup
from twinwall.live.sysctl import write
from twinwall.policy.model import Attach, Policy
from twinwall.render.marks import ACTION_SHIFT, CT_GENERATION_SHIFT, CT_PASS, RuleAction
from twinwall.render.sysctls import render_sysctls

kernel = pytest.mark.kernel

GROUP = 1776
PORT = 9000
RULES = f"""
pass udp any any -> any any (sid:1;)
drop udp any any -> any {PORT} (msg:"no"; sid:7;)
"""
# What the renderer writes, for one port.
MARK = RuleAction.DROP << ACTION_SHIFT | 2
RULESET = f"""
table inet t {{
  chain c {{ type filter hook input priority 0;
    udp dport {PORT} meta mark set {MARK:#x} log group {GROUP} prefix "twinwall 1" snaplen 128 drop
    ct mark set {1 << CT_GENERATION_SHIFT | CT_PASS | 1:#x}
  }}
}}
"""


def rules(group=GROUP):
    policy = Source(Kind.RULES, (("r.rules", RULES),)).policy()
    return FixedRules(RuleBook(policy.stateful.rules, Attach(log_group=group)))


@pytest.fixture
def space():
    with namespace() as made, made.entered():
        made.run("nft", "-f", "-", text=RULESET)
        for name in ("acct", "timestamp"):
            made.run("sh", "-c", f"echo 1 > /proc/sys/net/netfilter/nf_conntrack_{name}")
        yield made


def collect(log, count):
    found = []
    while len(found) < count:
        more = log.records(5000)
        assert more, f"{len(found)} of {count} records came"
        found += more
    return found


def talk(port, text=b"hello"):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", port))
        sender.sendto(text, ("127.0.0.1", port))
        return sender.getsockname()[1]


@kernel
def test_a_dropped_packet_is_an_alert_and_a_drop(space):
    with EventLog(rules()) as log:
        port = talk(PORT)
        alert, drop = collect(log, 2)
    assert (alert["event_type"], drop["event_type"]) == ("alert", "drop")
    assert alert["alert"]["signature_id"] == 7
    assert (alert["in_iface"], alert["src_port"], alert["dest_port"]) == ("lo", port, PORT)
    assert alert["verdict"] == {"action": "drop"}


@kernel
def test_a_connection_that_ends_is_a_flow(space):
    with EventLog(rules(), beginnings=True) as log, ConnectionTable() as table:
        port = talk(PORT + 1)
        table.delete_all(table.entries())
        began, ended = collect(log, 2)
    assert (began["src_port"], ended["src_port"]) == (port, port)
    assert began["flow_id"] == ended["flow_id"]
    assert "end" not in began["flow"]
    assert ended["flow"] | {"pkts_toserver": 1, "bytes_toserver": 33, "state": "new", "action": "pass"} == ended["flow"]
    assert ended["flow"]["alerted"] is False


@kernel
def test_the_end_of_a_connection_that_nobody_saw_begin_is_a_flow(space):
    """With the kernel's default its end would not be told to a log that was started after it."""
    (setting,) = (each for each in render_sysctls(Policy()) if each.name.endswith("conntrack_events"))
    write(setting.name, setting.value)
    port = talk(PORT + 1)
    with EventLog(rules()) as log, ConnectionTable() as table:
        table.delete_all(table.entries())
        (ended,) = collect(log, 1)
    assert (ended["event_type"], ended["src_port"]) == ("flow", port)


@kernel
def test_what_is_lost_is_told(space):
    with EventLog(rules()) as log:
        log._group.close()
        log._group = LogGroup(GROUP, buffer=4096, gather=0)
        for _ in range(200):
            talk(PORT, bytes(1000))
        records = []
        while more := log.records(0):
            records += more
        talk(PORT)
        records += collect(log, 1)
    messages = [record["engine"]["message"] for record in records if record["event_type"] == "engine"]
    assert any("packets that rules reported were lost" in message for message in messages)


@kernel
def test_a_group_that_is_taken_is_refused_and_the_log_leaves_nothing_open(space):
    with LogGroup(GROUP), pytest.raises(NetlinkError, match=r"\(process \d+\) receives it"), EventLog(rules()):
        pass
    with EventLog(rules()):
        pass


@kernel
def test_another_policys_group_is_followed(space):
    class Changing:
        book = rules(GROUP + 1).book

        def refresh(self):
            return False

        def rule(self, number, generation=0):
            return self.book.rule(number)

    changing = Changing()
    with EventLog(changing) as log:
        assert log.records(0) == []
        changing.book = rules().book
        assert log.records(0) == []
        talk(PORT)
        assert collect(log, 2)[0]["alert"]["signature_id"] == 7


def test_a_connection_becomes_a_row_of_its_translated_ends():
    client, server, public = (bytes([10, 0, 0, 9]), bytes([10, 0, 0, 80]), bytes([203, 0, 113, 1]))
    entry = ConntrackEntry(
        FiveTuple(client, public, 6, 40000, 8080),
        FiveTuple(server, client, 6, 80, 40000),
        Status.SEEN_REPLY | Status.DESTINATION_NAT,
        state="ESTABLISHED",
        stop=7,
    )
    row = flow_row(entry, 99)
    assert (row.dst_lo, row.dport, row.last_seen, row.start) == (int.from_bytes(server), 80, 7, 0)
    assert row.state == 3
    assert flow_row(ConntrackEntry(entry.original, entry.reply, Status(0)), 99).last_seen == 99


def test_an_interface_that_has_gone_is_its_number():
    assert interface_name(0) == ""
    assert interface_name(1 << 30) == str(1 << 30)


def test_the_decoder_is_compiled_when_there_is_time_for_it_and_used_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_CACHE", str(tmp_path))
    said = []
    assert isinstance(decoding_machine(), InterpretedMachine)
    assert isinstance(decoding_machine(lambda: said.append("compiling")), NativeMachine)
    assert said == ["compiling"]
    assert isinstance(decoding_machine(), NativeMachine)
