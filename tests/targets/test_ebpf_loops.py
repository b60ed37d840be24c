"""Marked calls become `may_goto`: small programs, before and after."""

from __future__ import annotations

import struct

import pytest

from twinwall.targets.ebpf_loops import MARK, MAY_GOTO, with_may_goto
from twinwall.targets.elf import Place, ProgramCode


def line(code, registers=0, offset=0, immediate=0):
    return struct.pack("<BBhi", code, registers, offset, immediate)


QUESTION, EXIT = line(0x85, 0, 0, MARK), line(0x95)
MOVE = line(0xBF, 0x67)  # r7 = r6
LOAD = line(0x18, 6) + line(0)
NOTHING = line(0x05)


def patched(*lines, places=()):
    return with_may_goto(ProgramCode(b"".join(lines), places))


@pytest.mark.parametrize("code", [0x15, 0x16])
def test_leaving_the_loop(code):
    assert patched(QUESTION, line(code, 0, 5), EXIT).instructions == line(MAY_GOTO, 0, 6) + NOTHING + EXIT


@pytest.mark.parametrize("code", [0x55, 0x56])
def test_staying_in_the_loop(code):
    again = line(0x05, 0, -2)
    assert patched(QUESTION, line(code, 0, -2), EXIT).instructions == line(MAY_GOTO, 0, 1) + again + EXIT


def test_what_stands_between_moves_up_and_its_places_with_it():
    code = patched(EXIT, QUESTION, MOVE, LOAD, line(0x15, 0, 1), EXIT, LOAD, places=(Place(24, "between"), Place(56, "behind")))
    assert code.instructions == EXIT + MOVE + LOAD + line(MAY_GOTO, 0, 2) + NOTHING + EXIT + LOAD
    assert code.places == (Place(16, "between"), Place(56, "behind"))


def test_every_question_is_answered():
    pair = (QUESTION, line(0x15, 0, 0))
    assert patched(*pair, *pair, EXIT).instructions.count(line(MAY_GOTO, 0, 1)) == 2


def test_a_program_without_questions_stays():
    assert patched(MOVE, EXIT).instructions == MOVE + EXIT


@pytest.mark.parametrize(
    "between",
    [line(0xBF, 0x01), line(0x05, 0, 0), EXIT, line(0xB7, 0)],
    ids=["the answer is copied", "a jump", "the end", "the answer is overwritten"],
)
def test_an_answer_that_does_not_steer_a_jump_is_refused(between):
    with pytest.raises(TypeError, match="not tested at once"):
        patched(QUESTION, between, line(0x15, 0, 1), EXIT)


def test_a_jump_past_the_question_is_refused():
    with pytest.raises(TypeError, match="between the loop's question"):
        patched(line(0x05, 0, 1), QUESTION, MOVE, line(0x15, 0, 1), EXIT)
