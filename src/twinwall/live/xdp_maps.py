"""The maps of the XDP stage: made for a new program, found again from a running one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Self

from twinwall.compile.table import RuleTable
from twinwall.live.bpf_maps import ARRAY, ArrayMap, Map, PercpuArray, ProgramArray
from twinwall.live.bpf_programs import LOAD_MAP_FD, LOAD_MAP_VALUE, Program
from twinwall.live.xdp_control import FLAGS, another_version
from twinwall.targets.ebpf_entry import (
    C_RULES,
    CONTROL_SYMBOL,
    CONTROL_WORDS,
    COUNTER_BYTES,
    COUNTERS_SYMBOL,
    RECORD_VALUE_BYTES,
    RECORDS_SYMBOL,
    SUCCESSOR_SYMBOL,
    TABLE_SYMBOL,
)

KINDS: dict[str, type[Map]] = {
    TABLE_SYMBOL: ArrayMap,
    RECORDS_SYMBOL: PercpuArray,
    COUNTERS_SYMBOL: PercpuArray,
    CONTROL_SYMBOL: ArrayMap,
    SUCCESSOR_SYMBOL: ProgramArray,
}


@dataclass(frozen=True)
class StageMaps:
    """The maps of one program; a map's name in the kernel is its symbol in the program."""

    table: ArrayMap
    records: PercpuArray
    counters: PercpuArray
    control: ArrayMap
    successor: ProgramArray

    @classmethod
    def make(cls, table: RuleTable) -> Self:
        """New maps for a policy: its table in a frozen one, everything else zero.  Raises `BpfError`."""
        size = 8 << (len(table.words) - 1).bit_length()
        with ExitStack() as stack:
            keep = stack.enter_context
            made = cls(
                keep(ArrayMap.constant(table.words.tobytes(), size, TABLE_SYMBOL)),
                keep(PercpuArray.make(RECORD_VALUE_BYTES, 1, RECORDS_SYMBOL)),
                keep(PercpuArray.make(COUNTER_BYTES, C_RULES + len(table.rules), COUNTERS_SYMBOL)),
                keep(ArrayMap.create(ARRAY, CONTROL_WORDS * 8, 1, flags=FLAGS, name=CONTROL_SYMBOL)),
                keep(ProgramArray.make(1, SUCCESSOR_SYMBOL)),
            )
            stack.pop_all()
        return made

    @classmethod
    def of(cls, program: Program) -> Self:
        """The maps of a program that runs.  Raises `EnforcementError` if they are not what this version makes."""
        with ExitStack() as stack:
            found: dict[str, Map] = {}
            for identifier in program.about().map_identifiers:
                with Map.of_identifier(identifier) as probe:
                    name = probe.about().name
                found[name] = stack.enter_context(KINDS.get(name, Map).of_identifier(identifier))
            if found.keys() != KINDS.keys():
                raise another_version()
            maps = cls(*(found[name] for name in KINDS))  # type: ignore[arg-type]  # of the kinds that KINDS says
            stack.pop_all()
        return maps

    def to_fill_in(self) -> dict[str, tuple[Map, int]]:
        """What the program's symbols stand for."""
        by_address = (TABLE_SYMBOL, CONTROL_SYMBOL)
        maps = [getattr(self, field.name) for field in fields(self)]
        return {
            name: (each, LOAD_MAP_VALUE if name in by_address else LOAD_MAP_FD) for name, each in zip(KINDS, maps, strict=True)
        }

    def close(self) -> None:
        """Let the maps go; the program keeps them."""
        for field in fields(self):
            getattr(self, field.name).close()
