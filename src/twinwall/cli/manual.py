"""docs/command-line.md, printed from the commands and the exit codes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

import click

from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.main import COMMANDS

HEAD = """\
# The command line

<!-- Printed from the code; a test holds it to the code. -->

`twinwall COMMAND …`; `twinwall --help`, `twinwall COMMAND --help` and `twinwall --version` print what they say.
What a command has to say goes to standard output, mistakes to standard error.  Colour and width follow the terminal; in a pipe
or a file, and where `NO_COLOR` is set, output is plain.

A `POLICY` is a YAML policy ([policy-file.md](policy-file.md)), a `.rules` file of stateful rules, or the folder of an AWS
Network Firewall export ([aws.md](aws.md)).
"""

COMPLETION = """\
## Shell completion

Commands, options and file names complete.  Put one line where your shell starts from:

| shell | file | line |
| --- | --- | --- |
| bash (4.4 or newer) | `~/.bashrc` | `source <(twinwall completion bash)` |
| zsh | `~/.zshrc`, after `compinit` | `source <(twinwall completion zsh)` |
| fish | `~/.config/fish/config.fish` | `twinwall completion fish \\| source` |
"""


def command_line_page() -> str:
    """`docs/command-line.md`."""
    parts = [HEAD, *(_section(name) for name in COMMANDS), _exit_codes(), COMPLETION]
    return "\n".join(parts)


def _section(name: str) -> str:
    command: click.Command = import_module(f"twinwall.cli.{name}").command
    context = click.Context(command, info_name=f"twinwall {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    rows = [_option(parameter, context) for parameter in command.params if isinstance(parameter, click.Option)]
    table = ["| option | what it does |", "| --- | --- |", *rows, ""] if rows else []
    return "\n".join([f"## `twinwall {name}`", "", f"`twinwall {name} {usage}`", "", *_prose(command), *table])


def _prose(command: click.Command) -> Iterator[str]:
    """The command's docstring, a paragraph a line."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""


def _option(option: click.Option, context: click.Context) -> str:
    names, text = option.get_help_record(context) or ("", "")
    return f"| `{names}` | {text.replace('|', chr(92) + '|')} |"


def _exit_codes() -> str:
    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    return "\n".join(["## Exit codes", "", "The same for every command.", "", "| code | meaning |", "| --- | --- |", *rows, ""])
