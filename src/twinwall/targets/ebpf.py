"""The packet path for the kernel: the same functions, retargeted to eBPF.

Numba's IR is given the triple `bpfel` and the primitives' eBPF bodies, everything is inlined into one program behind the entry
(`targets.ebpf_entry`), and LLVM's BPF back end emits it.  No policy is in it: what differs from policy to policy is in maps and
in a few numbers that are filled in when it is loaded, so one object, compiled once and kept in the user's cache, serves all.
What the verifier dislikes, and the remedy, stands in `docs/design/ebpf.md`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twinwall.path.judge import xdp
from twinwall.targets.bodies import ebpf_bodies, mask_values
from twinwall.targets.ebpf_entry import JUDGE_ARITY, SECTION, entry
from twinwall.targets.ebpf_loops import with_may_goto
from twinwall.targets.elf import ProgramCode, read_program
from twinwall.targets.object_cache import PathFunction, cache_folder, fingerprint, keep, kept

_TARGET = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\ntarget triple = "bpfel"\n'


@dataclass(frozen=True)
class EbpfProgram:
    """A program without a policy.  `may_goto`: its loops are bounded by the kernel, not by the verifier."""

    code: ProgramCode
    may_goto: bool

    def for_table(self, table_words: int) -> ProgramCode:
        """The program for a policy of `table_words` words, a power of two; what is left to fill in are maps."""
        return filled_in(self.code, mask_values(table_words))


def filled_in(code: ProgramCode, values: Mapping[str, int]) -> ProgramCode:
    """The code with numbers for the symbols in `values`."""
    instructions = bytearray(code.instructions)
    for place in code.places:
        if place.symbol in values:
            struct.pack_into("<I", instructions, place.offset + 4, values[place.symbol] & 0xFFFFFFFF)
            struct.pack_into("<I", instructions, place.offset + 12, values[place.symbol] >> 32)
    return ProgramCode(bytes(instructions), tuple(place for place in code.places if place.symbol not in values))


def is_compiled(function: PathFunction = xdp, *, may_goto: bool = True) -> bool:
    """Whether `load_program` will find the object in the cache."""
    return (cache_folder() / _object_name(function, may_goto=may_goto)).exists()


def load_program(
    function: PathFunction = xdp, *, may_goto: bool = True, announce: Callable[[], None] | None = None
) -> EbpfProgram:
    """The program, from the cache if it is there; `announce` is called before a compilation, which takes some seconds."""
    path = cache_folder() / _object_name(function, may_goto=may_goto)
    image = kept(path)
    if image is None:
        if announce is not None:
            announce()
        image = compile_object(function, may_goto=may_goto)
        keep(path, image)
    code = read_program(image, SECTION)
    return EbpfProgram(with_may_goto(code) if may_goto else code, may_goto)


def _object_name(function: PathFunction, *, may_goto: bool) -> str:
    return f"{fingerprint({'xdp': function}, ('bpfel', may_goto))}.bpf.o"


def compile_object(function: PathFunction, *, may_goto: bool) -> bytes:
    """Compile `function(packet, end, wire_length, interface, table, record) -> judged word` to an eBPF object."""
    import llvmlite.binding as llvm  # noqa: PLC0415 - LLVM and Numba are imported only to compile

    from twinwall.targets.numba_ir import lower  # noqa: PLC0415

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    lowered = lower(function)
    assert lowered.arity == JUDGE_ARITY
    module = llvm.parse_assembly(_TARGET + ebpf_bodies(may_goto=may_goto))
    module.link_in(llvm.parse_assembly(_retargeted(lowered.text)))
    module.link_in(llvm.parse_assembly(_TARGET + entry(lowered.symbol)))
    for each in module.functions:
        if not each.is_declaration and each.name != "twinwall_program":
            each.linkage = llvm.Linkage.internal
    module.verify()
    machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu="v3", opt=2)
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


def _retargeted(text: str) -> str:
    """Numba's module for the BPF machine: another triple, and everything inlined (BPF passes five arguments at most)."""
    text = re.sub(r"^target (datalayout|triple) = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^attributes #\d+ = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=[\s)])#\d+(?=[\s{]|$)", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(define [^\n]*\))", r"\1 alwaysinline nounwind", text, flags=re.MULTILINE)
    return _TARGET + text
