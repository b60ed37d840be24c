"""ClassBench rule sets: the first match of every packet, against a scan with NumPy; sizes stay small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.compile.generate import make_record, make_rule
from twinwall.compile.stateless import compile_stateless
from twinwall.path.classify import stateless
from twinwall.path.layout import MARK_IP, MARK_PORTS, MARK_TRANSPORT, NO_RULE
from twinwall.path.primitives import Pointer
from twinwall.path.table_layout import H_STEPS, H_WORDS
from twinwall.policy.model import Action, Condition, PacketField, StatelessStage
from twinwall.policy.sets import AddressSet, PortSet

FOLDER = Path(__file__).parents[3] / "shared" / "rules" / "classbench"
LINE = re.compile(r"@(\S+)/(\d+)\s+(\S+)/(\d+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+(\w+)/(\w+)\s+(\w+)/(\w+)")
WITH_PORTS = (6, 17, 132, 136)
SETS = ["acl1_10k", "acl3_1k", "acl5_1k", "fw1_1k", "fw5_10k", "ipc1_1k", "ipc2_10k"]


def network(address, length):
    value = int.from_bytes(bytes(int(part) for part in address.split(".")), "big")
    low = value >> (32 - length) << (32 - length)
    return low, low | ((1 << (32 - length)) - 1)


def read(name):
    """The set as columns: source, destination, ports (low, high each), protocol and mask, flags and mask."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    rows = []
    for line in path.read_text().splitlines():
        found = LINE.match(line)
        assert found, line
        source, source_length, destination, destination_length = found[1], int(found[2]), found[3], int(found[4])
        ports = [int(found[number]) for number in range(5, 9)]
        rest = [int(found[number], 16) for number in range(9, 13)]
        rows.append([*network(source, source_length), *network(destination, destination_length), *ports, *rest])
    return np.array(rows, np.int64)


def rule_of(row):
    flags, mask = row[10] & 0xFF, row[11] & 0xFF
    conditions = (Condition(PacketField.TCP_FLAGS, ((int(flags & mask),) * 2,), int(mask)),) if mask and row[8] == 6 else ()
    return make_rule(
        Action.DROP,
        protocols=frozenset({int(row[8])}) if row[9] == 0xFF else None,
        source=AddressSet(((int(row[0]), int(row[1])),), ((0, (1 << 128) - 1),) if row[1] - row[0] == 0xFFFFFFFF else ()),
        destination=AddressSet(((int(row[2]), int(row[3])),), ((0, (1 << 128) - 1),) if row[3] - row[2] == 0xFFFFFFFF else ()),
        source_ports=PortSet(((int(row[4]), int(row[5])),)),
        destination_ports=PortSet(((int(row[6]), int(row[7])),)),
        conditions=conditions,
    )


def first_match(rows, packet):
    source, destination, sport, dport, proto, flags = packet
    ported = proto in WITH_PORTS
    hit = (rows[:, 0] <= source) & (source <= rows[:, 1]) & (rows[:, 2] <= destination) & (destination <= rows[:, 3])
    for low, high, port in ((rows[:, 4], rows[:, 5], sport), (rows[:, 6], rows[:, 7], dport)):
        hit &= ((low == 0) & (high == 65535)) | (ported & (low <= port) & (port <= high))
    hit &= (rows[:, 9] == 0) | (rows[:, 8] == proto)
    mask = rows[:, 11] & 0xFF
    hit &= (mask == 0) | (rows[:, 8] != 6) | ((flags & mask) == (rows[:, 10] & mask))
    return int(np.argmax(hit)) if hit.any() else NO_RULE


@pytest.mark.parametrize("name", SETS)
def test_first_match_is_that_of_a_scan(name):
    rows = read(name)
    table = compile_stateless(StatelessStage(tuple(rule_of(row) for row in rows)))
    words, bounds = Pointer(table.words), (table.header(H_WORDS), table.header(H_STEPS))
    rng = np.random.default_rng(1)
    hits = set()
    for _ in range(250):
        near, other = rows[rng.integers(len(rows))], rows[rng.integers(len(rows))]
        mixed = near if rng.random() < 0.8 else other
        proto = int(near[8]) if near[9] else int(rng.choice([6, 17, 1]))
        flags = int(rng.choice([2, 16, 18, int(near[10]) & 0xFF])) if proto == 6 else 0
        ported = proto in WITH_PORTS
        sport = int(rng.integers(near[4], near[5] + 1)) if ported else 0
        dport = int(rng.integers(mixed[6], mixed[7] + 1)) if ported else 0
        packet = (
            int(rng.integers(near[0], near[1] + 1)),
            int(rng.integers(mixed[2], mixed[3] + 1)),
            sport,
            dport,
            proto,
            flags,
        )
        marks = MARK_IP | MARK_TRANSPORT | (MARK_PORTS if ported else 0)
        record = make_record(
            src_lo=packet[0], dst_lo=packet[1], sport=sport, dport=dport, proto=proto, tcp_flags=flags, marks=marks
        )
        found = stateless(words, Pointer(bytearray(record.tobytes())), *bounds) >> 32
        assert found == first_match(rows, packet)
        hits.add(found)
    assert len(hits) > 20


@pytest.mark.parametrize("name", SETS)
def test_tables_are_small(name):
    rows = read(name)
    table = compile_stateless(StatelessStage(tuple(rule_of(row) for row in rows)))
    assert table.words.nbytes < 1000 * len(rows) + 100_000
