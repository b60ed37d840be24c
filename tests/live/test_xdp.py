"""The XDP stage in a namespace: frames in, and what was counted, stamped and dropped."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from tests.live.kernel import ebpf_or_skip
from tests.live.wire import Wire, until
from tests.oracle.kernel import packet_socket, why_unavailable
from tests.packets import ethernet, ipv4, tcp, udp
from twinwall.compile.policy import stateless_table
from twinwall.live import links
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_programs import XDP, Program
from twinwall.live.error import EnforcementError
from twinwall.live.netlink import NetlinkError
from twinwall.live.xdp_control import namespace_seal
from twinwall.live.xdp_stamp import attach_stamp
from twinwall.path.layout import TCP, UDP
from twinwall.path.reason import Reason
from twinwall.render.marks import STAMP_SHIFTS, STAMPS, Stamp
from twinwall.rules.policy_file import load_policy
from twinwall.targets.elf import ProgramCode

pytestmark = pytest.mark.kernel

HEAD = """twinwall: 1
stateless:
  default: {default}
  fragments: drop
  rules: |
"""
RULES = """    drop tcp any any -> any 23 (sid:1;)
    pass udp any any -> any 53 (sid:2;)
    drop udp any any -> any 9 (sid:3;)
"""
TELNET, WEB = (ethernet(ipv4(tcp(1024, port, 2), TCP), 0x0800) for port in (23, 80))
DNS, DISCARD = (ethernet(ipv4(udp(1024, port), UDP), 0x0800) for port in (53, 9))


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def wire():
    with Wire() as made:
        yield made


def policy(tmp_path, rules=RULES, default="forward"):
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD.format(default=default) + rules + "attach: {mode: gateway, inside: [fw0, fw1, other0]}\n")
    return load_policy(path)


def load(policy, generation=1, **more):
    from twinwall.live.xdp import XdpStage

    return XdpStage.load(stateless_table(policy), policy, generation, **more)


def seen(stage):
    """How many packets the stage has counted."""
    return sum(count.packets for count in stage.counters().reasons.values())


def test_frames_are_dropped_stamped_and_counted(wire, tmp_path):
    marks = [stamp << STAMP_SHIFTS[1] for stamp in Stamp]
    wire.count_marks(*marks)
    with load(policy(tmp_path)) as stage:
        assert stage.attach("fw0") == "native"
        wire.send(TELNET, TELNET, DNS, DISCARD, WEB, WEB, WEB)
        until(lambda: sum(wire.marks().values()) == 4)
        counters = stage.counters()
    assert wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 1, Stamp.FORWARD << STAMP_SHIFTS[1]: 3}
    assert [count.packets for count in counters.rules] == [2, 1, 1]
    assert counters.rules[0].bytes == 2 * len(TELNET)
    assert counters.reasons == {
        Reason.STATELESS_RULE: (4, 2 * len(TELNET) + 2 * len(DNS)),
        Reason.STATELESS_DEFAULT: (3, 3 * len(WEB)),
    }
    assert counters.unstamped.packets == 0


def test_every_action_and_slot_has_its_stamp(wire, tmp_path):
    """The program's constants and `render.marks` are one layout."""
    from twinwall.targets.ebpf_entry import NOT_DROP, SEAL_MASK, SLOT_BITS

    assert (SLOT_BITS, SEAL_MASK) == (STAMPS, STAMPS ^ 0xFFFFFFFF)
    for shift in STAMP_SHIFTS:
        assert [bool(stamp << shift & NOT_DROP) for stamp in Stamp] == [False, True, False, True]
    wire.count_marks(*(stamp << shift for stamp in Stamp for shift in STAMP_SHIFTS))
    for generation in (1, 2):
        with load(policy(tmp_path), generation) as stage:
            stage.attach("fw0")
            wire.send(DNS, WEB)
            until(lambda stage=stage: seen(stage) == 2)
            assert (stage.generation, stage.counters().unstamped.packets) == (generation, 0)
    until(lambda: sum(wire.marks().values()) == 4)
    assert wire.marks() == {stamp << shift: 1 for stamp in (Stamp.PASS, Stamp.FORWARD) for shift in STAMP_SHIFTS}


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_frames_with_vlan_tags_keep_their_stamp(wire, tmp_path, monkeypatch, mode):
    if mode == "generic":
        refuse_native(monkeypatch)
    wire.count_marks(0, *(stamp << STAMP_SHIFTS[1] for stamp in Stamp if stamp))
    with load(policy(tmp_path)) as stage:
        assert stage.attach("fw0") == mode
        tagged = [ethernet(ipv4(udp(1024, port), UDP), 0x0800, (0x8100,)) for port in (53, 9, 80)]
        twice = ethernet(ipv4(udp(1024, 53), UDP), 0x0800, (0x88A8, 0x8100))
        wire.send(*tagged, twice)
        until(lambda: seen(stage) == 4)
        until(lambda: sum(wire.marks().values()) == 3)
    assert wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 2, Stamp.FORWARD << STAMP_SHIFTS[1]: 1}


def refuse_native(monkeypatch):
    """A driver that has no XDP, as far as the stage can see."""
    from twinwall.live import xdp

    def refusing(index, mode, program, expected):
        if mode == "native":
            raise NetlinkError("attach an XDP program", errno.EOPNOTSUPP)
        links.set_xdp(index, mode, program, expected)

    monkeypatch.setattr(xdp, "set_xdp", refusing)


def test_a_driver_without_xdp_gets_generic_mode(wire, tmp_path, monkeypatch):
    refuse_native(monkeypatch)
    with load(policy(tmp_path)) as stage:
        assert stage.attach("fw0") == "generic"
        wire.send(TELNET, WEB)
        until(lambda: seen(stage) == 2)
        assert stage.counters().rules[0].packets == 1
        assert stage.interfaces() == {"fw0": "generic"}
        stage.detach("fw0")
        assert links.link("fw0").xdp == ()


def test_a_refusal_that_generic_mode_would_meet_as_well_is_raised(wire, tmp_path, monkeypatch):
    from twinwall.live import xdp

    def refusing(index, mode, program, expected):
        raise NetlinkError("attach an XDP program", errno.EPERM)

    monkeypatch.setattr(xdp, "set_xdp", refusing)
    with load(policy(tmp_path)) as stage, pytest.raises(EnforcementError, match="Operation not permitted"):
        stage.attach("fw0")


def test_jumbo_frames_are_judged_by_their_beginning(tmp_path):
    with Wire(mtu=9000) as wire:
        wire.count_marks(*(stamp << STAMP_SHIFTS[1] for stamp in Stamp))
        long = ethernet(ipv4(udp(1024, 53, bytes(8000)), UDP), 0x0800)
        with load(policy(tmp_path)) as stage:
            assert stage.attach("fw0") == "native"
            wire.send(long, ethernet(ipv4(udp(1024, 9, bytes(8000)), UDP), 0x0800))
            until(lambda: seen(stage) == 2)
            until(lambda: sum(wire.marks().values()) == 1)
            assert [tuple(count) for count in stage.counters().rules] == [(0, 0), (1, len(long)), (1, len(long))]
        assert wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 1}


def test_rules_ask_for_the_interface(wire, tmp_path):
    wire.plug("fw1", "far1")
    rules = "    drop udp any any -> any any (sid:1; interface:fw1;)\n"
    with load(policy(tmp_path, rules)) as stage:
        for interface in ("fw0", "fw1"):
            stage.attach(interface)
        wire.send(DNS)
        wire.send(DNS, DNS, into="far1")
        until(lambda: seen(stage) == 3)
        assert stage.counters().rules[0].packets == 2
        assert stage.interfaces() == {"fw0": "native", "fw1": "native"}


def test_another_process_finds_the_stage_by_its_interface(wire, tmp_path):
    from twinwall.live.xdp import XdpStage

    assert XdpStage.of("fw0") is None
    with load(policy(tmp_path), 5, digest=b"which policy") as stage:
        stage.attach("fw0")
        number = stage.identifier
    wire.send(TELNET)
    with XdpStage.of("fw0") as found:
        until(lambda: seen(found) == 1)
        assert (found.identifier, found.generation, found.digest.rstrip(b"\0")) == (number, 5, b"which policy")
        assert found.counters().rules[0].packets == 1
        found.detach("fw0")
    assert XdpStage.of("fw0") is None


def test_a_stage_that_was_found_again_knows_the_policy_s_interfaces(wire, tmp_path):
    """What another process attaches, an interface that came back, has the number that the rules mean."""
    from twinwall.live.xdp import XdpStage

    rules = (
        "    drop udp any any -> any any (sid:1; interface:other0;)\n    drop udp any any -> any any (sid:2; interface:fw1;)\n"
    )
    with load(policy(tmp_path, rules)) as stage:
        stage.attach("fw0")
    wire.plug("fw1", "far1")
    with XdpStage.of("fw0") as found:
        found.attach("fw1")
        wire.send(DNS)
        wire.send(DNS, DNS, into="far1")
        until(lambda: seen(found) == 3)
        assert [count.packets for count in found.counters().rules] == [0, 2]


def test_packets_without_a_stamp_have_no_mark(wire, tmp_path):
    """An interface whose program was taken away from outside: the ruleset drops what has no stamp."""
    wire.count_marks(0, *(stamp << STAMP_SHIFTS[1] for stamp in Stamp if stamp))
    with load(policy(tmp_path)) as stage:
        stage.attach("fw0")
        wire.firewall.run("ip", "link", "set", "fw0", "xdp", "off")
        assert stage.interfaces() == {}
        wire.send(DNS)
        until(lambda: wire.marks() == {0: 1})
        assert stage.attach("fw0") == "native"
        wire.send(DNS)
        until(lambda: wire.marks() == {0: 1, Stamp.PASS << STAMP_SHIFTS[1]: 1})


def test_a_stamp_counts_on_its_own_interface_only(wire, tmp_path):
    """What the kernel leaves of another interface's metadata has another seal."""
    wire.count_marks(0, *(stamp << STAMP_SHIFTS[1] for stamp in Stamp if stamp))
    with load(policy(tmp_path)) as stage:
        stage.attach("fw0")
        index = links.link("fw0").index
        attach_stamp(index, namespace_seal() + 1)
        wire.send(DNS)
        until(lambda: wire.marks() == {0: 1})
        attach_stamp(index, namespace_seal())
        wire.send(DNS)
        until(lambda: wire.marks() == {0: 1, Stamp.PASS << STAMP_SHIFTS[1]: 1})


def test_stamps_survive_a_capture_tool(wire, tmp_path):
    """A tap makes clones of packets; a tc program that wrote would have them copied without their metadata."""
    wire.count_marks(0, *(stamp << STAMP_SHIFTS[1] for stamp in Stamp if stamp))
    with packet_socket("fw0"), load(policy(tmp_path)) as stage:
        stage.attach("fw0")
        wire.send(DNS, WEB)
        until(lambda: sum(wire.marks().values()) == 2)
    assert wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 1, Stamp.FORWARD << STAMP_SHIFTS[1]: 1}


def test_an_interface_that_is_deleted_and_made_again(wire, tmp_path):
    with links.LinkEvents() as events, load(policy(tmp_path)) as stage:
        stage.attach("fw0")
        wire.firewall.run("ip", "link", "del", "fw0")
        gone = events_about("fw0", events)
        assert not gone[-1].present
        assert stage.interfaces() == {}
        wire.plug("fw0", "far0")
        assert events_about("fw0", events)[-1].present
        assert stage.attach("fw0") == "native"
        wire.send(TELNET)
        until(lambda: seen(stage) == 1)


def events_about(name, events):
    found = []

    def arrived():
        found.extend(event for event in events.take(0.1).events if event.link.name == name and event.link.kind)
        return bool(found)

    until(arrived)
    return found


def test_anothers_program_is_refused_by_name(wire, tmp_path):
    code = ProgramCode(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 2, 0x95, 0, 0, 0), ())
    with Program.load(XDP, code, {}, name="somebodys") as other, load(policy(tmp_path)) as stage:
        links.set_xdp(links.link("fw0").index, links.XdpMode.NATIVE, other.number, None)
        with pytest.raises(EnforcementError, match=r"attach XDP to fw0: another program is attached there: somebodys"):
            stage.attach("fw0")
        assert [each.program for each in links.link("fw0").xdp] == [other.about().identifier]


@pytest.mark.parametrize(("name", "why"), [("tun0", "no Ethernet header"), ("none0", "no interface of that name")])
def test_links_that_cannot_have_it_are_refused_by_name(wire, tmp_path, name, why):
    wire.firewall.run("ip", "tuntap", "add", "tun0", "mode", "tun")
    with load(policy(tmp_path)) as stage, pytest.raises(EnforcementError, match=f"{name}.*{why}"):
        stage.attach(name)


def test_without_privilege_the_kernel_s_refusal_is_said(wire, tmp_path, monkeypatch):
    from twinwall.live import bpf_maps

    def refuse(command, attributes, action):
        raise BpfError(errno.EPERM, action)

    monkeypatch.setattr(bpf_maps, "bpf", refuse)
    with pytest.raises(EnforcementError, match=r"create the map tw_table: Operation not permitted\n    hint: run it as root"):
        load(policy(tmp_path))


def test_a_kernel_without_may_goto_gets_the_other_form(wire, tmp_path, monkeypatch):
    real, forms = Program.load, []

    def old_kernel(kind, code, maps, **more):
        if kind == XDP:
            forms.append("may_goto" if 0xE5 in code.instructions[::8] else "compared")
            if forms[-1] == "may_goto":
                raise BpfError(errno.EINVAL, "load the program", "unknown opcode e5")
        return real(kind, code, maps, **more)

    monkeypatch.setattr(Program, "load", old_kernel)
    with load(policy(tmp_path)) as stage:
        stage.attach("fw0")
        wire.send(TELNET)
        until(lambda: seen(stage) == 1)
    assert forms == ["may_goto", "compared"]


def test_nothing_is_left_open(wire, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with load(policy(tmp_path)) as stage:
        stage.attach("fw0")
    assert len(os.listdir("/proc/self/fd")) == before
