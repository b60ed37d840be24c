"""What the primitives are in machine terms: LLVM definitions of `tw_*`, one set for the processor, one for eBPF.

The two differ in four places, and only there:

- `opaque`: nothing on the processor; in eBPF a volatile round trip through the record's scratch word in map memory, after
  which the verifier knows nothing about the value, so that the states of the branches before it merge.
- table reads: eBPF masks the index with the (power of two) size of the table, which is the bound the verifier asks for.
- `trailing_zeros` is an instruction of the processor, arithmetic in eBPF.
- `prefetch` and `branchless` exist on the processor only.

Two things are told to LLVM because it cannot know them.  Tables are constant (`invariant.load`): nothing writes one while
packets are judged.  And addresses are formed as an offset from a base, so that it sees which accesses to one record are apart.
"""

from __future__ import annotations

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

_TABLE = """
define i64 @tw_table_{name}(i64 %table, i64 %index) alwaysinline nounwind {{
  %bounded = and i64 %index, {mask}
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
        _LOAD.format(bits=bits, widen=_widen(bits), narrow=_narrow(bits), align=bits // 8 if align else 1)
        for bits in (8, 16, 32, 64)
    )


def _tables(words: int | None) -> str:
    parts = []
    for name, bits, shift in (("at", 64, 3), ("u32", 32, 2), ("u16", 16, 1)):
        mask = -1 if words is None else (words << 3 >> shift) - 1
        parts.append(_TABLE.format(name=name, bits=bits, shift=shift, mask=mask, align=bits // 8, widen=_widen(bits)))
    return "".join(parts)


def native_bodies() -> str:
    """The primitives for the processor."""
    return _memory(align=False) + _tables(None) + _RECORD + _NATIVE_ONLY


def ebpf_bodies(table_words: int) -> str:
    """The primitives for eBPF, reading a table of `table_words` (a power of two) words."""
    assert table_words & (table_words - 1) == 0, "the table's size is what bounds the index"
    return _memory(align=True) + _tables(table_words) + _RECORD + _EBPF_ONLY
