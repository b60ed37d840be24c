"""Variables: typed by their use, resolved once, and wrong at one place only."""

from __future__ import annotations

import pytest

from twinwall.policy.codes import Code
from twinwall.rules.located import AlreadyReportedError, Located, Mistake
from twinwall.rules.variables import Variables


def variables(**definitions):
    return Variables({name: (Located(text, "f", at),) for at, (name, text) in enumerate(definitions.items(), 1)})


def test_a_variable_may_be_a_list_of_others_and_exclusions():
    known = variables(HOME="10.0.0.0/8", LAB="10.1.0.0/16", USED="[$HOME, !$LAB]")
    assert known.addresses("$USED") == known.addresses("[10.0.0.0/8,!10.1.0.0/16]")
    assert known.addresses("!$USED").contains(4, (10 << 24) + (1 << 16))


def test_the_use_decides_what_a_variable_is():
    known = variables(ANYTHING="any", NUMBER="80")
    assert known.addresses("$ANYTHING").is_any
    assert known.ports("$ANYTHING").is_any
    assert known.ports("$NUMBER").ranges == ((80, 80),)


def test_an_undefined_variable_is_a_mistake_where_it_is_used():
    with pytest.raises(Mistake) as caught:
        variables(HOME_NET="any").addresses("[10.0.0.1, $HOMENET]")
    assert (caught.value.code, caught.value.start, caught.value.end) == (Code.UNDEFINED_VARIABLE, 11, 19)
    assert caught.value.hint == "did you mean $HOME_NET?"


def test_a_mistake_in_a_definition_is_reported_once_however_often_it_is_used():
    known = variables(BAD="10.0.0.300", OTHER="$BAD")
    for text in ("$BAD", "$OTHER", "$BAD", "!$OTHER"):
        with pytest.raises(AlreadyReportedError):
            known.addresses(text)
    assert [(each.code, each.span.line) for each in known.diagnostics] == [(Code.BAD_ADDRESS, 1)]


def test_a_loop_names_its_members():
    known = variables(A="$B", B="$C", C="[1.1.1.1,$A]")
    with pytest.raises(AlreadyReportedError):
        known.addresses("$A")
    (loop,) = known.diagnostics
    assert (loop.code, loop.span.line, loop.span.column) == (Code.VARIABLE_LOOP, 3, 10)
    assert "$A -> $B -> $C -> $A" in loop.message


def test_a_long_chain_ends_in_a_diagnostic():
    known = variables(**{f"V{at}": f"$V{at + 1}" for at in range(3000)}, V3000="any")
    with pytest.raises(AlreadyReportedError):
        known.addresses("$V0")
    assert known.diagnostics[0].code == Code.TOO_DEEP


def test_doubling_variables_take_linear_time():
    known = variables(**{f"V{at}": f"[$V{at + 1},$V{at + 1}]" for at in range(30)}, V30="10.0.0.1")
    assert known.addresses("$V0").v4 == (((10 << 24) + 1,) * 2,)


def test_unused_variables_are_checked_too():
    known = variables(PORTS="99999", HOSTS="10.0.0.300", GOOD="80", FINE="10.0.0.1", EMPTY="!any")
    known.check_unused()
    assert [(each.code, each.span.line) for each in known.diagnostics] == [
        (Code.BAD_PORT, 1),
        (Code.BAD_ADDRESS, 2),
        (Code.EMPTY_SET, 5),
    ]
