from __future__ import annotations

import click
import pytest

from twinwall.capture import CaptureError
from twinwall.cli.exit_codes import ExitCode, code_of, run
from twinwall.engine.spoken_error import SpokenError
from twinwall.events.sink import OutputError
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span

MISTAKE = Diagnostic(Severity.ERROR, "some-code", "it is wrong", Span("p.yaml", 3, 4), "mend it")


def ends_with(error: BaseException) -> int:
    """The exit code of a command that raises `error`."""

    @click.command()
    def command() -> None:
        raise error

    return run(command, [])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PolicyError((MISTAKE,)), ExitCode.POLICY),
        (SpokenError("tcp", 1, "more", "tcp …"), ExitCode.USAGE),
        (click.UsageError("no"), ExitCode.USAGE),
        (click.Abort(), ExitCode.INTERRUPTED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
    ids=repr,
)
def test_errors_of_the_user_end_in_a_code(error, code, capsys):
    assert ends_with(error) == code
    assert capsys.readouterr().err


def test_a_diagnostic_prints_as_it_is(capsys):
    ends_with(PolicyError((MISTAKE,)))
    assert capsys.readouterr().err == "p.yaml:3:4: error[some-code]: it is wrong\n    hint: mend it\n"


def test_families_of_the_other_rooms_are_known():
    assert code_of(CaptureError.__new__(CaptureError)) is ExitCode.CAPTURE
    assert code_of(OutputError.__new__(OutputError)) is ExitCode.OUTPUT
    assert code_of(ValueError()) is None


def test_a_defect_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        ends_with(ZeroDivisionError())


def test_a_command_may_name_its_code():
    assert run(click.command()(lambda: 3), []) == 3
    assert run(click.command()(lambda: None), []) == 0


def test_codes_are_told_apart_and_explained():
    assert len({code.value for code in ExitCode}) == len(ExitCode)
    assert all(code.meaning for code in ExitCode)
