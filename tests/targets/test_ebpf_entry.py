"""The entry's text: one module, complete but for maps and the judge; places of the control map do not meet."""

from __future__ import annotations

import llvmlite.binding as llvm

from twinwall.path.reason import Reason
from twinwall.targets import ebpf_entry


def test_the_module_wants_maps_and_the_judge_and_defines_the_rest():
    module = llvm.parse_assembly(ebpf_entry.entry("judge"))
    module.verify()
    assert {each.name for each in module.functions if each.is_declaration} == {"judge"}
    assert {each.name for each in module.global_variables} == {
        "tw_table",
        "tw_records",
        "tw_counters",
        "tw_control",
        "tw_successor",
    }
    assert all(len(each.name) < 16 for each in module.global_variables), "a map's name in the kernel has 15 bytes"


def test_the_program_has_the_section_that_is_read():
    assert f'@twinwall_program(ptr %context) section "{ebpf_entry.SECTION}"' in ebpf_entry.entry("judge")


def test_every_reason_has_a_counter_of_its_own():
    assert max(Reason) < ebpf_entry.C_UNSTAMPED < ebpf_entry.C_RULES


def test_control_words_do_not_meet():
    single = (
        ebpf_entry.CONTROL_SUCCESSOR,
        ebpf_entry.CONTROL_SHIFT,
        ebpf_entry.CONTROL_SEAL,
        ebpf_entry.CONTROL_LAYOUT,
        ebpf_entry.CONTROL_GENERATION,
    )
    assert len(set(single)) == len(single)
    assert max(single) < ebpf_entry.CONTROL_DIGEST <= ebpf_entry.CONTROL_INTERFACES - 4
    last_place = ebpf_entry.CONTROL_INTERFACES + ebpf_entry.INTERFACE_PLACES - 1 + ebpf_entry.INTERFACE_PROBES - 1
    assert last_place < ebpf_entry.CONTROL_NAMES < ebpf_entry.CONTROL_WORDS
