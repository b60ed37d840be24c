"""The primitives in machine code say what the interpreted ones say; those for eBPF differ where they must."""

from __future__ import annotations

import random

import llvmlite.binding as llvm
import numpy as np
import pytest

from twinwall.path import primitives
from twinwall.path.primitives import (
    Address,
    Pointer,
    branchless,
    get,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    opaque,
    prefetch,
    put,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
    table_at,
    table_u16,
    table_u32,
    trailing_zeros,
)
from twinwall.targets import bodies
from twinwall.targets.native import compile_entries, link


def everything(memory: Address, at: int, value: int) -> int:
    """Every primitive but `note`, into one word; `at` is below 64, the memory 256 bytes."""
    store_u8(memory, at, value)
    store_u16(memory, at + 70, value)
    store_u32(memory, at + 80, value)
    store_u64(memory, at + 90, value)
    put(memory, 24, value ^ at)
    prefetch(memory, at)
    total = load_u8(memory, at) ^ load_u16(memory, at + 70) ^ load_u32(memory, at + 80) ^ load_u64(memory, at + 90)
    total = total ^ table_at(memory, at >> 1) ^ table_u32(memory, at) ^ table_u16(memory, at)
    total = total ^ get(memory, 24) ^ opaque(memory, value) ^ branchless(at)
    return total ^ trailing_zeros(value)


def test_native_code_reads_and_writes_the_same_bytes():
    compiled = link(compile_entries({"everything": everything}), {"everything": 3}).functions["everything"]
    rng = random.Random(1)
    for _ in range(300):
        start = np.frombuffer(rng.randbytes(256), np.uint8)
        mine, theirs = start.copy(), start.copy()
        at, value = rng.randrange(62), rng.getrandbits(64) << rng.randrange(64) & ((1 << 64) - 1)
        assert compiled(mine.ctypes.data, at, value) == everything(Pointer(theirs.data), at, value)
        if not np.array_equal(mine, theirs):
            different = np.flatnonzero(mine != theirs).tolist()
            pytest.fail(f"bytes {different} differ")


NAMES = [name for name in primitives.__all__ if name not in ("Address", "Pointer", "note")]


@pytest.mark.parametrize(
    "text", [bodies.native_bodies(), bodies.ebpf_bodies(may_goto=True), bodies.ebpf_bodies(may_goto=False)]
)
def test_every_primitive_has_a_body_on_both_targets(text):
    module = llvm.parse_assembly(text)
    module.verify()
    defined = {each.name for each in module.functions if not each.is_declaration}
    assert defined == {f"tw_{name}" for name in NAMES}


def test_ebpf_masks_every_index_and_the_processor_none():
    masks = {line.split("%index, ")[1] for line in bodies.ebpf_bodies(may_goto=True).splitlines() if "%masked = and" in line}
    assert masks == {f"ptrtoint (ptr @{symbol} to i64)" for symbol in bodies.MASK_SYMBOLS.values()}
    native = {line.split("%index, ")[1] for line in bodies.native_bodies().splitlines() if "%masked = and" in line}
    assert native == {"-1"}


def test_a_word_of_the_header_is_read_without_a_mask():
    module = llvm.parse_assembly(
        f"{bodies.ebpf_bodies(may_goto=False)}"
        "define i64 @header(i64 %table) {\n %word = call i64 @tw_table_at(i64 %table, i64 7)\n ret i64 %word\n}\n"
    )
    tuned = module.get_function("header")
    machine = llvm.Target.from_default_triple().create_target_machine()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    assert " and " not in str(tuned)
    assert "is.constant" not in str(tuned)


@pytest.mark.parametrize("words", [1, 64, 1 << 20])
def test_a_mask_is_the_last_index_of_the_table(words):
    assert bodies.mask_values(words) == {"tw_mask_at": words - 1, "tw_mask_u32": 2 * words - 1, "tw_mask_u16": 4 * words - 1}


@pytest.mark.parametrize("words", [3, 65, (1 << 20) - 1])
def test_a_size_that_is_no_mask_is_refused(words):
    with pytest.raises(AssertionError, match="bounds the index"):
        bodies.mask_values(words)


def ebpf_arithmetic() -> str:
    """eBPF's `trailing_zeros`, which is plain arithmetic, as a program of the processor."""
    text = bodies.ebpf_bodies(may_goto=True)
    start = text.index("define i64 @tw_trailing_zeros")
    return text[start : text.index("}", start) + 1]


def test_ebpf_counts_zeros_by_arithmetic_and_gets_the_same():
    import ctypes

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(ebpf_arithmetic()), machine)
    count = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(engine.get_function_address("tw_trailing_zeros"))
    rng = random.Random(2)
    for bit in range(64):
        for value in (1 << bit, (rng.getrandbits(64) << bit | 1 << bit) & ((1 << 64) - 1)):
            assert count(value) == trailing_zeros(value) == bit
    assert count(0) == trailing_zeros(0) == 64
