"""What the primitives are in machine terms: LLVM definitions of `tw_*`, one set for the processor, one for eBPF.

The two differ in six places, and only there:

- `opaque`: nothing on the processor; in eBPF a volatile round trip through the record's scratch word in map memory, after
  which the verifier knows nothing about the value, so that the states of the branches before it merge.
- table reads: eBPF masks the index with the (power of two) size of the table, which is the bound the verifier asks for.  The
  masks are symbols that become numbers when the program is loaded, so that one object serves tables of every size.  An index
  that is a constant is one of the header's words, which every table has: it needs no mask.
- `another`: the processor compares; in eBPF a marked call that becomes `may_goto` (`targets.ebpf_loops`), or the comparison.
- packet bytes: for eBPF the big-endian loads are said to be aligned, or LLVM makes many loads of each.  They are not, and
  need not be where the kernel trusts its machine with that (x86, arm64, POWER, s390); elsewhere the verifier refuses them.
- `trailing_zeros` is an instruction of the processor, arithmetic in eBPF.
- `prefetch` and `branchless` exist on the processor only.

Two things are told to LLVM because it cannot know them.  Tables are constant (`invariant.load`): nothing writes one while
packets are judged.  And addresses are formed as an offset from a base, so that it sees which accesses to one record are apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from twinwall.targets.ebpf_loops import MARK

TABLE_READS = (("at", 64, 3), ("u32", 32, 2), ("u16", 16, 1))  # name, bits, and the shift from an index to bytes
MASK_SYMBOLS = {name: f"tw_mask_{name}" for name, _, _ in TABLE_READS}

_LOAD = """
define i64 @tw_load_u{bits}(i64 %base, i64 %offset) alwaysinline nounwind {{
  %start = inttoptr i64 %base to ptr
  %pointer = getelementptr i8, ptr %start, i64 %offset
  %value = load i{bits}, ptr %pointer, align 1
  {widen}
  ret i64 %wide
}}
define i64 @tw_store_u{bits}(i64 %base, i64 %offset, i64 %value) alwaysinline nounwind {{
  %start = inttoptr i64 %base to ptr
  %pointer = getelementptr i8, ptr %start, i64 %offset
  {narrow}
  store i{bits} %small, ptr %pointer, align {align}
  ret i64 0
}}
"""

_LOAD_BIG = """
declare i{bits} @llvm.bswap.i{bits}(i{bits})
define i64 @tw_load_be{bits}(i64 %base, i64 %offset) alwaysinline nounwind {{
  %start = inttoptr i64 %base to ptr
  %pointer = getelementptr i8, ptr %start, i64 %offset
  %wire = load i{bits}, ptr %pointer, align {align}
  %value = call i{bits} @llvm.bswap.i{bits}(i{bits} %wire)
  {widen}
  ret i64 %wide
}}
"""

_TABLE = """
define i64 @tw_table_{name}(i64 %table, i64 %index) alwaysinline nounwind {{
  %masked = and i64 %index, {mask}
  %header = call i1 @llvm.is.constant.i64(i64 %index)
  %bounded = select i1 %header, i64 %index, i64 %masked
  %distance = shl i64 %bounded, {shift}
  %start = inttoptr i64 %table to ptr
  %pointer = getelementptr i8, ptr %start, i64 %distance
  %value = load i{bits}, ptr %pointer, align {align}, !invariant.load !{{}}
  {widen}
  ret i64 %wide
}}
"""

_RECORD = """
define i64 @tw_put(i64 %record, i64 %word, i64 %value) alwaysinline nounwind {
  %distance = shl i64 %word, 3
  %start = inttoptr i64 %record to ptr
  %pointer = getelementptr i8, ptr %start, i64 %distance
  store i64 %value, ptr %pointer, align 8
  ret i64 0
}
define i64 @tw_get(i64 %record, i64 %word) alwaysinline nounwind {
  %distance = shl i64 %word, 3
  %start = inttoptr i64 %record to ptr
  %pointer = getelementptr i8, ptr %start, i64 %distance
  %value = load i64, ptr %pointer, align 8
  ret i64 %value
}
"""

_COMPARED = """
define i64 @tw_another(i64 %turn, i64 %limit) alwaysinline nounwind {
  %below = icmp ult i64 %turn, %limit
  %wide = zext i1 %below to i64
  ret i64 %wide
}
"""

# The call touches no memory that LLVM can see: nothing has to be read again after it.
_MARKED = """
define i64 @tw_another(i64 %turn, i64 %limit) alwaysinline nounwind {{
  %answer = call i64 inttoptr (i64 {mark} to ptr)() nounwind willreturn memory(inaccessiblemem: readwrite)
  ret i64 %answer
}}
"""

_NATIVE_ONLY = """
declare i64 @llvm.cttz.i64(i64, i1)
define i64 @tw_trailing_zeros(i64 %value) alwaysinline nounwind {
  %count = call i64 @llvm.cttz.i64(i64 %value, i1 false)
  ret i64 %count
}
define i64 @tw_opaque(i64 %record, i64 %value) alwaysinline nounwind {
  ret i64 %value
}
define i64 @tw_branchless(i64 %value) alwaysinline nounwind {
  %same = call i64 asm "", "=r,0"(i64 %value)
  ret i64 %same
}
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
define i64 @tw_prefetch(i64 %base, i64 %offset) alwaysinline nounwind {
  %start = inttoptr i64 %base to ptr
  %pointer = getelementptr i8, ptr %start, i64 %offset
  call void @llvm.prefetch.p0(ptr %pointer, i32 0, i32 3, i32 1)
  ret i64 0
}
"""

# Counting zeros as the population count of the bits below the lowest set one: eBPF has no instruction for it, and what LLVM
# makes of `llvm.cttz` reads a table that would need a map of its own; the empty `asm` keeps it from recognising the arithmetic.
_EBPF_ONLY = """
define i64 @tw_trailing_zeros(i64 %value) alwaysinline nounwind {
  %negative = sub i64 0, %value
  %lowest = and i64 %value, %negative
  %ones = sub i64 %lowest, 1
  %below = call i64 asm "", "=r,0"(i64 %ones)
  %odd = lshr i64 %below, 1
  %odd1 = and i64 %odd, 6148914691236517205
  %pairs = sub i64 %below, %odd1
  %low2 = and i64 %pairs, 3689348814741910323
  %high2 = lshr i64 %pairs, 2
  %high2m = and i64 %high2, 3689348814741910323
  %nibbles = add i64 %low2, %high2m
  %high4 = lshr i64 %nibbles, 4
  %bytes = add i64 %nibbles, %high4
  %bytes1 = and i64 %bytes, 1085102592571150095
  %sum = mul i64 %bytes1, 72340172838076673
  %count = lshr i64 %sum, 56
  ret i64 %count
}
define i64 @tw_opaque(i64 %record, i64 %value) alwaysinline nounwind {
  %address = add i64 %record, 120
  %pointer = inttoptr i64 %address to ptr
  store volatile i64 %value, ptr %pointer, align 8
  %again = load volatile i64, ptr %pointer, align 8
  ret i64 %again
}
define i64 @tw_branchless(i64 %value) alwaysinline nounwind {
  ret i64 %value
}
define i64 @tw_prefetch(i64 %base, i64 %offset) alwaysinline nounwind {
  ret i64 0
}
"""


def _widen(bits: int) -> str:
    return "%wide = add i64 %value, 0" if bits == 64 else f"%wide = zext i{bits} %value to i64"


def _narrow(bits: int) -> str:
    return "%small = add i64 %value, 0" if bits == 64 else f"%small = trunc i64 %value to i{bits}"


def _memory(*, align: bool) -> str:
    return "".join(
        (_LOAD + (_LOAD_BIG if bits > 8 else "")).format(
            bits=bits, widen=_widen(bits), narrow=_narrow(bits), align=bits // 8 if align else 1
        )
        for bits in (8, 16, 32, 64)
    )


def _tables(masks: Mapping[str, str]) -> str:
    return "declare i1 @llvm.is.constant.i64(i64)\n" + "".join(
        _TABLE.format(name=name, bits=bits, shift=shift, mask=masks[name], align=bits // 8, widen=_widen(bits))
        for name, bits, shift in TABLE_READS
    )


def native_bodies() -> str:
    """The primitives for the processor."""
    return _memory(align=False) + _tables(dict.fromkeys(MASK_SYMBOLS, "-1")) + _RECORD + _COMPARED + _NATIVE_ONLY


def ebpf_bodies(*, may_goto: bool) -> str:
    """The primitives for eBPF; `may_goto` says how loops are bounded."""
    declared = "".join(f"@{symbol} = external global i8\n" for symbol in MASK_SYMBOLS.values())
    masks = {name: f"ptrtoint (ptr @{symbol} to i64)" for name, symbol in MASK_SYMBOLS.items()}
    loops = _MARKED.format(mark=MARK) if may_goto else _COMPARED
    return declared + _memory(align=True) + _tables(masks) + _RECORD + loops + _EBPF_ONLY


def mask_values(table_words: int) -> dict[str, int]:
    """What the mask symbols stand for, for a table of `table_words` (a power of two) words."""
    assert table_words & (table_words - 1) == 0, "the table's size is what bounds the index"
    return {MASK_SYMBOLS[name]: (table_words << 3 >> shift) - 1 for name, _, shift in TABLE_READS}
