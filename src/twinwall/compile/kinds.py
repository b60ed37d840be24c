"""Kinds: IP protocol with TCP flags or with ICMP type and code, one row for each kind that rules tell apart.

A packet without its transport header (a later fragment) has neither flags nor type: a rule that asks for them rejects it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.conditions import Accepted, accepted_values, intervals_of
from twinwall.compile.entries import Entry
from twinwall.compile.rows import RowPool
from twinwall.path.layout import ICMP, ICMP6, TCP
from twinwall.path.table_layout import FORM_FLAGS_SHIFT, FORM_MESSAGE
from twinwall.policy.model import Condition, PacketField

KIND_FIELDS = frozenset({PacketField.PROTOCOL, PacketField.TCP_FLAGS, PacketField.ICMP_TYPE, PacketField.ICMP_CODE})
ICMP_FIELDS = KIND_FIELDS - {PacketField.PROTOCOL, PacketField.TCP_FLAGS}

MESSAGES = 65536  # of one protocol: code:8 type:8


@dataclass(frozen=True)
class KindTable:
    """Row numbers: `plain` of protocols, then of TCP by flags; `messages` of ICMP's."""

    plain: NDArray[np.uint32]
    messages: NDArray[np.uint32]


@dataclass(frozen=True)
class _Kind:
    """What one rule asks of protocol, flags, type and code."""

    protocols: frozenset[int] | None
    conditions: tuple[Condition, ...]

    def asks(self, fields: frozenset[PacketField]) -> bool:
        return any(each.field in fields for each in self.conditions)

    def accepts_protocols(self) -> Accepted:
        allowed = accepted_values(self.conditions, PacketField.PROTOCOL, 256)
        if self.protocols is not None:
            allowed &= np.isin(np.arange(256), list(self.protocols))
        return allowed


def compile_kinds(entries: Sequence[Entry], pool: RowPool) -> KindTable:
    """The tables of one stage."""
    numbers: dict[_Kind, int] = {}
    which = [numbers.setdefault(_kind(each), len(numbers)) for each in entries]
    kinds = list(numbers)
    types, type_class = _classes([accepted_values(each.conditions, PacketField.ICMP_TYPE, 256) for each in kinds])
    codes, code_class = _classes([accepted_values(each.conditions, PacketField.ICMP_CODE, 256) for each in kinds])
    accepted = [_accepted(kind, types[:, n], codes[:, n]) for n, kind in enumerate(kinds)]
    cells = 512 + 2 * len(types) * len(codes)
    rows = pool.add(cells, intervals_of(which, accepted))
    messages = 512 + (type_class[None, :] * len(codes) + code_class[:, None]).reshape(-1)
    return KindTable(rows[:512], np.concatenate((rows[messages], rows[messages + len(types) * len(codes)])))


def compile_protocols(entries: Sequence[Entry], pool: RowPool) -> NDArray[np.uint32]:
    """256 row numbers: what accepts some packet of the protocol, whatever else it asks of it."""
    numbers: dict[_Kind, int] = {}
    which = [numbers.setdefault(_kind(each), len(numbers)) for each in entries]
    return pool.add(256, intervals_of(which, [each.accepts_protocols() for each in numbers]))


def _kind(entry: Entry) -> _Kind:
    return _Kind(entry.rule.protocols, tuple(each for each in entry.rule.conditions if each.field in KIND_FIELDS))


def _classes(accepted: Sequence[Accepted]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The distinct values of a field as rows of "which kind accepts it", and the row of each of the 256 values."""
    table = np.array(accepted, np.bool_).reshape(-1, 256).T
    _, first, inverse = np.unique(np.packbits(table, axis=1), axis=0, return_index=True, return_inverse=True)
    return table[first], inverse.reshape(-1)


def _accepted(kind: _Kind, types: Accepted, codes: Accepted) -> Accepted:
    """The cells that `kind` accepts: bare protocols, TCP by flags, ICMP and ICMPv6 by class of type and class of code."""
    protocols = kind.accepts_protocols()
    wants_flags = kind.asks(frozenset({PacketField.TCP_FLAGS}))
    wants_message = kind.asks(ICMP_FIELDS)
    bare = protocols & (not (wants_flags or wants_message))
    flags = accepted_values(kind.conditions, PacketField.TCP_FLAGS, 256) & (protocols[TCP] and not wants_message)
    messages = (types[:, None] & codes[None, :]).reshape(-1) & (not wants_flags)
    return np.concatenate((bare, flags, messages & protocols[ICMP], messages & protocols[ICMP6]))


def forms(bare_page: int, flags_page: int) -> NDArray[np.uint64]:
    """What makes a row of a protocol, without and then with a transport header (FORM_*), given where `plain`'s pages start."""
    protocols = bare_page + np.arange(256, dtype=np.uint64)
    found = np.concatenate((protocols, protocols))
    found[256 + TCP] = flags_page | 0xFF << FORM_FLAGS_SHIFT
    found[256 + ICMP] = FORM_MESSAGE
    found[256 + ICMP6] = FORM_MESSAGE | MESSAGES
    return found


def asks_kind(entry: Entry) -> bool:
    """Whether the rule asks for more than the protocol."""
    return _kind(entry).asks(KIND_FIELDS - {PacketField.PROTOCOL})
