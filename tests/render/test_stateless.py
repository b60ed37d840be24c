"""The stateless stage in nftables says of every frame what the packet path says."""

from __future__ import annotations

import random
import socket
from collections import Counter
from dataclasses import replace
from ipaddress import ip_network

import numpy as np
import pytest

from tests.compile.generate import some_rule
from tests.oracle.kernel import Namespace, why_unavailable
from tests.packets import ADDRESSES4, ADDRESSES6, ethernet, frames, ipv4, tcp
from tests.path.stateless_policy import rule, stage
from tests.path.test_three_ways import Native
from tests.render.frames_bench import FramesBench
from twinwall.live import nft
from twinwall.live.nft import Table
from twinwall.live.nft_counts import Count, read_counts
from twinwall.path.layout import RECORD
from twinwall.path.reason import Reason
from twinwall.path.table_layout import ACTION_DROP, ACTION_FORWARD, ACTION_PASS
from twinwall.policy.model import Action, Attach, Mode, Policy, StatelessStage
from twinwall.policy.sets import ANY_ADDRESS, AddressSet
from twinwall.render.marks import STAMP_SHIFTS, STATELESS_PASS, Stamp, slot
from twinwall.render.ready import COUNTER, INET
from twinwall.render.stateless import output_chains, remove_table, stateless_table
from twinwall.render.stateless_sound import EXTENSIONS, UNITS

ATTACH = Attach(inside=("in0",))
MOST_OF_A_TAG = 14 + 4 + 2  # a frame that ends within 2 bytes behind its tag is not taken out of it, but dropped
FRAGMENT_SEEN, AH_SEEN = 2, 4  # `extensions` of a record
STAMPS = {ACTION_PASS: Stamp.PASS, ACTION_FORWARD: Stamp.FORWARD, ACTION_DROP: None}


@pytest.fixture
def bench():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with FramesBench() as found:
        yield found


def difference(frame: bytes, judged: int, record: np.void, mark: int | None, shift: int) -> str:
    """Empty if the stage did as the packet path; else a difference that `render.stateless_sound` names, or "wrong"."""
    action, reason = judged & 0xFF, Reason(judged >> 8 & 0xFF)
    expected = None if action == ACTION_DROP else 0 if reason is Reason.NOT_IP else STAMPS[action] << shift
    if mark == expected:
        return ""
    if mark is None and (record["vlan_count"] > 1 or frame[12:14] == b"\x91\x00"):
        return "tags"
    if mark is None and reason is Reason.NOT_IP and record["vlan_count"] and len(frame) < MOST_OF_A_TAG:
        return "the kernel drops it"
    if mark is None and record["extensions"]:
        length = record["l4"] - record["l3"] - 40
        fragment = record["extensions"] & FRAGMENT_SEEN
        behind = fragment and (record["extensions"] != FRAGMENT_SEEN or length > 8 or record["proto"] in EXTENSIONS)
        return "extensions" if behind or record["extensions"] & AH_SEEN or length > 8 * UNITS else "wrong"
    if reason in (Reason.BAD_UDP_LENGTH, Reason.BAD_FRAGMENT):
        return reason.name
    return "wrong"


@pytest.mark.kernel
@pytest.mark.parametrize("generation", [1, 2])
def test_every_frame_gets_the_verdict_of_the_packet_path(bench, generation):
    policy = Policy(stateless=stage(), interfaces=("other0", "in0"))
    nft.load(stateless_table(policy, ATTACH, generation).replaced())
    judge = Native(interface=2)
    sent = list(frames(seed=generation, count=6000))
    found = Counter()
    for frame, mark in zip(sent, bench.marks(sent), strict=True):
        judged, record = judge(frame)
        kind = difference(frame, judged, np.frombuffer(record, RECORD)[0], mark, STAMP_SHIFTS[slot(generation)])
        assert kind != "wrong", (frame.hex(), hex(judged), mark)
        found[kind] += 1
    assert found[""] > 0.8 * len(sent)
    assert found["BAD_UDP_LENGTH"] + found["BAD_FRAGMENT"] < 60, "what is left to the tracker is rare"


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(16))
def test_random_rules_decide_as_in_the_packet_path(bench, seed):
    rules = random_stage(random.Random(seed))
    nft.load(stateless_table(Policy(stateless=rules, interfaces=("other0", "in0", "third0")), ATTACH, 1).replaced())
    judge = Native(interface=2, rules=rules)
    sent = list(frames(seed, 600, share_mutilated=0.1))
    plain, every = Counter(), Counter()
    for frame, mark in zip(sent, bench.marks(sent), strict=True):
        judged, raw = judge(frame)
        record = np.frombuffer(raw, RECORD)[0]
        kind = difference(frame, judged, record, mark, STAMP_SHIFTS[1])
        assert kind != "wrong", (frame.hex(), hex(judged), mark)
        if judged >> 8 & 0xFF == Reason.STATELESS_RULE:
            sid = rules.rules[judged >> 32].sid
            every[sid] += 1
            plain[sid] += not record["vlan_count"] and not record["extensions"]
    counted = read_counts(nft.listing(Table("netdev", "twinwall_1"))).stateless
    assert all(counted[sid].packets >= count for sid, count in plain.items()), (counted, plain)
    assert sum(count.packets for count in counted.values()) <= every.total() + 30, "packets that only XDP finds malformed"


def random_stage(rng: random.Random) -> StatelessStage:
    """Rules about the hosts that the frames come from, all actions, every field."""
    hosts = [ip_network(each) for each in (*ADDRESSES4, *ADDRESSES6)]
    rules = []
    for sid in range(1, rng.choice([3, 12, 40])):
        made = replace(some_rule(rng), sid=sid)
        if rng.random() < 0.6:
            made = replace(made, source=AddressSet.of(*rng.sample(hosts, 3)), destination=ANY_ADDRESS)
        if rng.random() < 0.3:
            made = replace(made, destination=AddressSet.of(*rng.sample(hosts, 2)))
        rules.append(made)
    actions = [rng.choice([Action.PASS, Action.DROP, Action.FORWARD]) for _ in range(2)]
    other = rng.choice([None, Action.PASS, Action.DROP, Action.FORWARD])
    return StatelessStage(tuple(rules), actions[0], actions[1], other)


@pytest.mark.kernel
def test_reasons_and_rules_are_counted(bench):
    policy = Policy(stateless=stage(0), interfaces=("other0", "in0"))
    nft.load(stateless_table(policy, ATTACH, 1).replaced())
    judge = Native(interface=2)
    sent = [frame for frame in frames(seed=9, count=2000, share_mutilated=0.1) if frame[12:14] in (b"\x08\0", b"\x86\xdd")]
    assert len(list(bench.marks(sent))) == len(sent)
    expected = Counter(Reason(judge(frame)[0] >> 8 & 0xFF) for frame in sent)
    counted = bench.counters(Table("netdev", "twinwall_1"))
    for reason in (Reason.TRUNCATED_IP, Reason.BAD_IP_VERSION, Reason.BAD_IP_HEADER_LENGTH, Reason.BAD_TCP_HEADER_LENGTH):
        assert counted[f"drop_{reason.name.lower()}"] == expected[reason]
    assert counted["pass_not_ip"] == len(sent), "the markers"


@pytest.mark.kernel
def test_two_generations_stamp_the_same_packet(bench):
    frame = ethernet(ipv4(tcp(40000, 443, 2), 6), 0x0800)
    drop, forward = (Policy(stateless=StatelessStage(default=each)) for each in (Action.DROP, Action.FORWARD))
    nft.load(stateless_table(forward, ATTACH, 1).replaced())
    nft.load(stateless_table(drop, ATTACH, 2, direct=False).replaced())
    both = Stamp.FORWARD << STAMP_SHIFTS[1] | Stamp.DROP << STAMP_SHIFTS[0]
    assert list(bench.marks([frame])) == [both], "the policy that comes next does not drop yet"
    nft.load(remove_table(1) + stateless_table(drop, ATTACH, 2).replaced())
    assert list(bench.marks([frame])) == [None]
    nft.load(stateless_table(forward, ATTACH, 3).replaced() + remove_table(2))
    assert list(bench.marks([frame])) == [Stamp.FORWARD << STAMP_SHIFTS[1]]
    assert nft.present() == (Table("netdev", "twinwall_1"),)


@pytest.mark.kernel
def test_a_host_judges_what_it_sends():
    if why_unavailable():
        pytest.skip(why_unavailable())
    host = Namespace()
    try:
        host.run("ip", "link", "set", "lo", "up")
        with host.entered():
            rules = (rule(1, Action.DROP, [17], None, "127.0.0.2/32", None, [(53, 53)]), rule(2, Action.PASS, [17]))
            chains = output_chains(Policy(stateless=StatelessStage(rules)), Attach(Mode.HOST, ("lo",)))
            table = f"table inet twinwall {{\n\tcounter {COUNTER} {{\n\t}}\n{INET.declared}{chains}}}\n"
            nft.load(table + INET.filled("inet twinwall") + SEEN)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                with pytest.raises(PermissionError):
                    own.sendto(b"x", ("127.0.0.2", 53))
                own.sendto(b"x", ("127.0.0.2", 54))
            listed = nft.listing(Table("inet", "twinwall"))
        counts = read_counts(listed)
        assert counts.stateless == {1: Count(1, 29), 2: Count(1, 29)}
        assert counts.verdicts["drop_stateless_rule"] == counts.verdicts["pass_stateless_rule"] == Count(1, 29)
        assert "packets 1 " in host.run("nft", "list", "chain", "inet", "seen", "out")
    finally:
        host.close()


SEEN = f"""table inet seen {{
\tchain out {{
\t\ttype filter hook output priority 0; policy accept;
\t\tmeta mark {STATELESS_PASS:#x} ct state untracked udp dport 54 counter
\t}}
}}
"""
