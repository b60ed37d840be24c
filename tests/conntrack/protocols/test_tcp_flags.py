"""What is remembered about a side: one byte of bits that are told apart."""

from __future__ import annotations

from twinwall.conntrack.protocols import tcp_flags


def test_flags_are_single_bits_of_one_byte():
    flags = [value for name, value in vars(tcp_flags).items() if name.startswith("FLAG_")]
    assert sorted(flags) == [1 << bit for bit in range(8)]
