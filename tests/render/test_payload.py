"""Payload lengths: every gate, interpreted as nftables would run it, accepts exactly the lengths asked for."""

from __future__ import annotations

import re

import pytest

from twinwall.path.layout import ESP, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE
from twinwall.render.payload import TOP, BeyondReachError, payload_gates

READ = re.compile(r"@(ih|th),(\d+),8 0-255 ")
MESSAGE = re.compile(r"@th,0,8 (!= )?(\d+)-(\d+) ")
HEADERS = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 8, ICMP6: 8, ESP: 8}
LENGTHS = [
    ((0, 9),),
    ((1, TOP),),
    ((10, 20),),
    ((0, 11), (13, TOP)),
    ((5, 5), (8, 9), (200, 210)),
    ((0, 0),),
    ((100, 100),),
]
SIZES = (0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 19, 20, 21, 99, 100, 101, 199, 200, 205, 210, 211, 240)


def accepts(lines, protocol: int, size: int, message: int = 8) -> bool:
    """Run a gate on a packet with `size` bytes behind its header."""
    for line in lines:
        rest = line
        chosen = MESSAGE.match(rest)
        if chosen:
            inside = int(chosen[2]) <= message <= int(chosen[3])
            if inside == bool(chosen[1]):
                continue
            rest = rest[chosen.end() :]
        there = READ.match(rest)
        if there:
            reach = size if there[1] == "ih" else HEADERS[protocol] + size
            assert int(there[2]) % 8 == 0
            assert int(there[2]) // 8 <= 255, "farther than nftables reads"
            if int(there[2]) // 8 >= reach:
                continue
            rest = rest[there.end() :]
        if rest == "goto {next}":
            return True
        if rest == "return":
            return False
        return in_set(rest, protocol, size)
    return False


def in_set(line: str, protocol: int, size: int) -> bool:
    """A set of computed lengths, for headers of 24 (IP) and 28 (TCP) bytes."""
    head = "6 . 7 . " if protocol == TCP else "6 . "
    total = {TCP: 24 + 28 + size}.get(protocol, 24 + HEADERS[protocol] + size)
    if protocol == UDP:
        head, total = "", 8 + size
    elements = line[line.index("{") + 1 : line.index("}")].split(", ")
    bounds = [each.strip().removeprefix(head) for each in elements if each.strip().startswith(head)]
    return any(int(low) <= total <= int(high) for low, high in (each.split("-") for each in bounds if " " not in each))


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("protocol", [TCP, UDP, SCTP, ESP])
@pytest.mark.parametrize("family", [4, 6])
def test_lengths_are_told_by_which_bytes_exist(lengths, protocol: int, family: int):
    gates = payload_gates(lengths, family, protocol)
    for size in SIZES:
        wanted = any(low <= size <= high for low, high in lengths)
        assert all(accepts(gate, protocol, size) for gate in gates) == wanted, size


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize(("protocol", "message", "more"), [(ICMP, 8, 0), (ICMP, 13, 12), (ICMP6, 128, 0), (ICMP6, 135, 4)])
def test_a_longer_fixed_part_is_no_payload(lengths, protocol: int, message: int, more: int):
    gates = payload_gates(lengths, 4, protocol)
    for size in SIZES:
        counted = max(size - more, 0)
        wanted = any(low <= counted <= high for low, high in lengths)
        assert all(accepts(gate, protocol, size, message) for gate in gates) == wanted, size


@pytest.mark.parametrize("protocol", [TCP, SCTP, ICMP])
def test_large_lengths_are_computed_over_ipv4_and_refused_over_ipv6(protocol: int):
    lengths = ((401, 1000), (2000, TOP))
    gates = payload_gates(lengths, 4, protocol)
    for size in (0, 400, 401, 1000, 1001, 1999, 2000, 9000):
        assert all(accepts(gate, protocol, size) for gate in gates) == (401 <= size <= 1000 or size >= 2000), size
    with pytest.raises(BeyondReachError):
        payload_gates(lengths, 6, protocol)


def test_every_length_needs_no_gate_and_none_matches_nothing():
    assert payload_gates(((0, TOP),), 4, TCP) == []
    assert payload_gates((), 4, TCP) is None


def test_protocols_whose_header_is_not_read_have_no_payload():
    assert payload_gates(((0, 5),), 4, UDPLITE) == []
    assert payload_gates(((1, 5),), 4, None) is None
