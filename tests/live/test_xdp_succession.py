"""One policy's program follows another's while frames flow: no packet is ever without the stamp that the ruleset reads."""

from __future__ import annotations

import subprocess
import threading

import pytest

from tests.live.kernel import ebpf_or_skip
from tests.live.test_xdp import DISCARD, DNS, TELNET, WEB, load, policy, seen
from tests.live.wire import Wire, until
from tests.oracle.kernel import packet_socket, why_unavailable
from twinwall.live import bpf_folder
from twinwall.live.error import EnforcementError
from twinwall.live.xdp import XdpStage, release_unused
from twinwall.render.marks import STAMP_SHIFTS, Stamp

pytestmark = pytest.mark.kernel

NEW_RULES = """    drop tcp any any -> any 23 (sid:1;)
    drop udp any any -> any 53 (sid:2;)
    pass udp any any -> any 9 (sid:3;)
"""
STAMPS = [0, *(stamp << shift for stamp in Stamp if stamp for shift in STAMP_SHIFTS)]


def both(old, new):
    """The mark of a packet that generation 1 and generation 2 have judged."""
    return old << STAMP_SHIFTS[1] | new << STAMP_SHIFTS[0]


BOTH = [both(old, new) for old in Stamp if old for new in Stamp if new]


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A BPF file system of the test's own."""
    made = tmp_path / "bpf"
    made.mkdir()
    monkeypatch.setattr(bpf_folder, "FOLDER", made)
    yield made
    subprocess.run(["umount", made], capture_output=True, check=False)


@pytest.fixture
def wire():
    with Wire() as made:
        made.count_marks(*STAMPS, *BOTH)
        yield made


def test_both_policies_judge_and_only_what_both_drop_is_dropped(wire, tmp_path):
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path, NEW_RULES), 2) as new:
        old.attach("fw0")
        new.succeed(old)
        wire.send(TELNET, DNS, DISCARD, WEB)
        until(lambda: seen(old) == seen(new) == 4)
        until(lambda: sum(wire.marks().values()) == 3)
        assert wire.marks() == {
            both(Stamp.PASS, Stamp.DROP): 1,
            both(Stamp.DROP, Stamp.PASS): 1,
            both(Stamp.FORWARD, Stamp.FORWARD): 1,
        }


def test_the_new_program_takes_the_old_one_s_place(wire, tmp_path, folder):
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path, NEW_RULES), 2) as new:
        old.attach("fw0")
        new.succeed(old)
        assert len(list(folder.glob("twinwall*"))) == 1
        assert new.finish(old, ["fw0"]) == {"fw0": "native"}
        assert len(list(folder.glob("twinwall*"))) == 1, "the new one's, and not the old one's"
        assert (old.interfaces(), new.interfaces()) == ({}, {"fw0": "native"})
        wire.send(DNS, DISCARD)
        until(lambda: seen(new) == 2)
        until(lambda: wire.marks() == {Stamp.PASS << STAMP_SHIFTS[0]: 1})
        assert seen(old) == 0


def test_interfaces_that_the_new_policy_leaves_are_freed(wire, tmp_path):
    wire.plug("fw1", "far1")
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path, NEW_RULES), 2) as new:
        for interface in ("fw0", "fw1"):
            old.attach(interface)
        new.succeed(old)
        new.finish(old, ["fw0"])
        assert (XdpStage.of("fw1"), new.interfaces()) == (None, {"fw0": "native"})


def test_a_change_that_is_given_up_leaves_the_old_policy_alone(wire, tmp_path, folder):
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path, NEW_RULES), 2) as new:
        old.attach("fw0")
        new.succeed(old)
        old.forget_successor()
        assert len(list(folder.glob("twinwall*"))) == 1, "the name stays as long as the program is attached"
        wire.send(DNS)
        until(lambda: wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 1})
        assert seen(new) == 0


def test_both_go_on_judging_when_the_process_that_changes_them_is_gone(wire, tmp_path):
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path, NEW_RULES), 2) as new:
        old.attach("fw0")
        new.succeed(old)
    wire.send(DNS)
    until(lambda: wire.marks() == {both(Stamp.PASS, Stamp.DROP): 1})
    with XdpStage.of("fw0") as found:
        found.forget_successor()
    wire.send(DNS)
    until(lambda: wire.marks() == {both(Stamp.PASS, Stamp.DROP): 1, Stamp.PASS << STAMP_SHIFTS[1]: 1})


def test_a_second_change_may_follow_one_that_was_cut_off(wire, tmp_path):
    with load(policy(tmp_path), 1) as old, load(policy(tmp_path), 2) as lost, load(policy(tmp_path, NEW_RULES), 2) as new:
        old.attach("fw0")
        lost.succeed(old)
        new.succeed(old)
        wire.send(DNS)
        until(lambda: wire.marks() == {both(Stamp.PASS, Stamp.DROP): 1})
        assert seen(lost) == 0


def test_no_packet_is_without_a_stamp_while_policies_change(wire, tmp_path):
    stop, sent = threading.Event(), []

    def talk():
        with packet_socket_outside(wire) as raw:
            while not stop.is_set():
                raw.send(WEB)
                sent.append(1)

    with load(policy(tmp_path), 1) as first:
        first.attach("fw0")
        talker = threading.Thread(target=talk)
        talker.start()
        try:
            until(lambda: seen(first) > 100)
            stages, before = [first], 0
            for generation in (2, 3, 4, 5):
                new = load(policy(tmp_path), generation)
                new.succeed(stages[-1])
                until(lambda new=new: seen(new) > 100)
                new.finish(stages[-1], ["fw0"])
                before = seen(new)
                until(lambda new=new, before=before: seen(new) > before + 100)
                stages[-1].close()
                stages.append(new)
        finally:
            stop.set()
            talker.join()
        until(lambda: sum(wire.marks().values()) == len(sent))
        stages[-1].close()
    marks = wire.marks()
    assert 0 not in marks
    assert marks.keys() == {both(*pair) for pair in ((Stamp.FORWARD, 0), (0, Stamp.FORWARD), (Stamp.FORWARD, Stamp.FORWARD))}


def packet_socket_outside(wire):
    with wire.outside.entered():
        return packet_socket("far0")


def test_without_a_bpf_file_system_nothing_is_attached(wire, tmp_path, monkeypatch):
    monkeypatch.setattr(bpf_folder, "FOLDER", tmp_path / "none")
    with load(policy(tmp_path), 1) as old:
        with pytest.raises(EnforcementError, match=r"there is none at .*/none.*\n.*`mount -t bpf bpf"):
            old.attach("fw0")
        assert XdpStage.of("fw0") is None


def test_the_name_of_a_program_whose_interface_is_gone_is_released_with_the_next(wire, tmp_path, folder):
    wire.plug("fw1", "far1")
    with load(policy(tmp_path), 1) as gone:
        gone.attach("fw1")
        wire.firewall.run("ip", "link", "del", "fw1")
        release_unused()
        assert len(list(folder.glob("twinwall*"))) == 1, "a process has the program still"

    def released():
        release_unused()
        return not list(folder.glob("twinwall*"))

    until(released)
