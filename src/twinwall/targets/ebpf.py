"""The packet path for the kernel: the same functions, retargeted to eBPF.

Numba's IR is given the triple `bpfel` and the primitives' eBPF bodies, everything is inlined into one program, and LLVM's
BPF back end emits it.  The program finds its record in a per-CPU array (so CPUs do not meet) and its policy in a frozen
array map that it reads by address.  What the verifier dislikes, and the remedy, stands in `docs/design/ebpf.md`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite.binding as llvm

from twinwall.targets import bodies
from twinwall.targets.elf import ProgramCode, read_program
from twinwall.targets.native import PathFunction

SECTION = "xdp"
TABLE_SYMBOL = "tw_table"  # the policy's words: a frozen array map, read by address
RECORDS_SYMBOL = "tw_records"  # one record (and room for the outcome) a CPU
RECORD_VALUE_BYTES = 256  # the decoded record, then the outcome

_TARGET = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\ntarget triple = "bpfel"\n'

_ENTRY = """
@tw_table = external global i8
@tw_records = external global i8
declare i32 @{symbol}({formal})
define i32 @twinwall_program(ptr %context) section "{section}" {{
entry:
  %result = alloca i64
  %error = alloca ptr
  %key = alloca i32
  store i32 0, ptr %key
  %record = call ptr inttoptr (i64 1 to ptr)(ptr @tw_records, ptr %key)
  %missing = icmp eq ptr %record, null
  br i1 %missing, label %aborted, label %present
aborted:
  ret i32 0
present:
  %data32 = load i32, ptr %context
  %data = zext i32 %data32 to i64
  %end_at = getelementptr i8, ptr %context, i64 4
  %end32 = load i32, ptr %end_at
  %end = zext i32 %end32 to i64
  %table_word = ptrtoint ptr @tw_table to i64
  %record_word = ptrtoint ptr %record to i64
  %status = call i32 @{symbol}(ptr %result, ptr %error, i64 %data, i64 %end, i64 %table_word, i64 %record_word{constants})
  %verdict = load i64, ptr %result
  %answer = trunc i64 %verdict to i32
  ret i32 %answer
}}
"""


@dataclass(frozen=True)
class EbpfProgram:
    """A program ready to be loaded: its code, and how many words the policy's map holds."""

    code: ProgramCode
    table_words: int


def compile_program(function: PathFunction, table_words: int, constants: Sequence[int] = ()) -> EbpfProgram:
    """Compile `function(packet, end, table, record, *constants) -> XDP action` to an eBPF program.

    `table_words` is the size of the policy's map, a power of two; `constants` bound the function's loops.
    """
    from twinwall.targets.numba_ir import lower  # noqa: PLC0415 - Numba is imported only to compile

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    lowered = lower(function)
    module = llvm.parse_assembly(_TARGET + bodies.ebpf_bodies(table_words))
    module.link_in(llvm.parse_assembly(_retargeted(lowered.text)))
    formal = "ptr, ptr" + ", i64" * lowered.arity
    given = "".join(f", i64 {value}" for value in constants)
    entry = _TARGET + _ENTRY.format(symbol=lowered.symbol, formal=formal, section=SECTION, constants=given)
    module.link_in(llvm.parse_assembly(entry))
    for each in module.functions:
        if not each.is_declaration and each.name != "twinwall_program":
            each.linkage = llvm.Linkage.internal
    module.verify()
    machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu="v3", opt=2)
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    return EbpfProgram(read_program(bytes(machine.emit_object(module)), SECTION), table_words)


def _retargeted(text: str) -> str:
    """Numba's module for the BPF machine: another triple, and everything inlined (BPF passes five arguments at most)."""
    text = re.sub(r"^target (datalayout|triple) = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^attributes #\d+ = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=[\s)])#\d+(?=[\s{]|$)", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(define [^\n]*\))", r"\1 alwaysinline nounwind", text, flags=re.MULTILINE)
    return _TARGET + text
