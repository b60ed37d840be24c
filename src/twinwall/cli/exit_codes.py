"""How a command ends: the exit codes, and the one place where errors turn into them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import IntEnum, unique

import click


@unique
class ExitCode(IntEnum):
    """What the shell sees.  `meaning` is what docs/command-line.md says of it."""

    FINE = 0, "everything was read, decided and written"
    CAPTURE = 1, "a capture could not be read to its end; what was readable was processed and reported"
    USAGE = 2, "the command line is wrong"
    POLICY = 3, "the policy has mistakes; all of them were printed"
    OUTPUT = 4, "an output could not be written; nothing half-written was left"
    KERNEL = 5, "the kernel or this machine refused; nothing was changed"
    CHANGES = 6, "`plan`: applying the policy would change something"
    FOUND = 7, "`guard --once`, `status`: something is not as it should be, or no policy is in force"
    DIFFERENT = 8, "`lab`: replay and the kernel disagree about some packets"
    INTERRUPTED = 130, "interrupted (Ctrl-C); what was decided until then was reported"

    meaning: str

    def __new__(cls, number: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member


def complain(text: str) -> None:
    """Print an error for people, where it does not mix with a command's output."""
    with suppress(OSError):  # nobody listens
        click.echo(text, err=True)


def run(command: click.Command, arguments: list[str]) -> int:
    """Run a command and return its exit code.  Nothing but a defect of ours leaves this function as an exception."""
    try:
        result = command.main(arguments, prog_name="twinwall", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Abort:
        complain("interrupted")
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        complain("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except SystemExit as end:
        if end.code != 1:
            raise
        # Click and Rich end the program themselves, and so, when the reader of a pipe has gone; nothing else of ours exits.
        return _standard_output_refused(BrokenPipeError())
    except OSError as error:
        if error.filename is not None:
            raise
        return _standard_output_refused(error)  # the only thing that commands write without a family of errors around it
    except Exception as error:
        code = code_of(error)
        if code is None:
            raise
        complain(str(error) if code is ExitCode.POLICY else f"error: {error}")
        return code
    return int(result) if isinstance(result, int) else ExitCode.FINE


def _standard_output_refused(error: OSError) -> ExitCode:
    """Say so, unless its reader simply went away, as `| head` does."""
    with suppress(OSError, ValueError):
        # What Python still holds for it goes nowhere, or Python would complain once more on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        complain(f"error: standard output: {error.strerror or error}\n    hint: free some space, or print somewhere else")
    return ExitCode.OUTPUT


# The user's errors.  A family that was never imported cannot have been raised, and `--help` must not import it.
FAMILIES = {
    ("twinwall.policy.diagnostic", "PolicyError"): ExitCode.POLICY,
    ("twinwall.capture.error", "CaptureError"): ExitCode.CAPTURE,
    ("twinwall.events.sink", "OutputError"): ExitCode.OUTPUT,
    ("twinwall.engine.spoken_error", "SpokenError"): ExitCode.USAGE,
    ("twinwall.live.error", "EnforcementError"): ExitCode.KERNEL,
    ("twinwall.live.connection_filter", "FilterError"): ExitCode.USAGE,
}


def code_of(error: Exception) -> ExitCode | None:
    """The exit code of an error of the user's input; None for a defect of ours."""
    for (module, name), code in FAMILIES.items():
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            return code
    return None
