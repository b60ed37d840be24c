"""The command line: `twinwall COMMAND …`.  One file per command; a command's module is imported when it is called.

Exit codes, the same for every command, are in `cli.exit_codes` and docs/command-line.md.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import cast

import click

from twinwall.version import __version__

COLLECT = (100_000, 50, 1_000)  # reading a policy makes hundreds of thousands of values, and no garbage that hangs in cycles
COMMANDS = {
    "replay": "run captures through a policy: a decision for every packet",
    "explain": "say what a policy does to a packet given in words, step by step",
    "check": "read a policy and report every mistake in it",
    "render": "print a policy as the nftables ruleset that `apply` loads",
    "lab": "let real programs talk through a stateless, a stateful and your policy, in namespaces",
    "status": "show what is in force, how it runs, what it has counted, and what is wrong",
    "trace": "show what the kernel does with packets, rule by rule, in the words of `explain`",
    "metrics": "print, serve or write what `status` sees as Prometheus metrics",
    "connections": "list, filter, watch and end the kernel's connections",
    "log": "print what rules report and which connections end, as EVE lines",
    "plan": "show what applying a policy would change in the Linux kernel",
    "apply": "put a policy in force in the Linux kernel, on trial or for good",
    "confirm": "keep a policy that is on trial",
    "rollback": "go back to the policy before",
    "stop": "take twinwall out of the kernel",
    "journal": "print who changed the policy, when, and what came of it",
    "guard": "look after what is in force, as long as the machine runs",
    "boot": "put the confirmed policy in force when the machine starts",
    "systemd": "print or install the units that start twinwall with the machine",
    "inspect": "decide the packets that `inspect` rules hand over",
    "completion": "print the shell's completion script",
}


class LazyGroup(click.Group):
    """Knows the commands' names and help lines, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", import_module(f"twinwall.cli.{cmd_name}").command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="twinwall %(version)s")
def cli() -> None:
    """A network firewall with two engines.

    A stateless engine judges each packet alone, a stateful engine follows connections.  One policy drives both.
    """


def main() -> None:
    """The entry point.  Errors of the user's input end here, each with place, cause and remedy."""
    from twinwall.cli.exit_codes import run  # noqa: PLC0415 - kept apart so that tests call it with arguments

    gc.set_threshold(*COLLECT)
    code = run(cli, sys.argv[1:])
    gc.freeze()  # the memory goes back at once: to look for garbage in ten thousand rules first would take 40 ms
    sys.exit(code)
