from __future__ import annotations

from tests.cli.running import ROOT
from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.main import COMMANDS
from twinwall.cli.manual import command_line_page


def test_the_page_is_current():
    assert (ROOT / "docs" / "command-line.md").read_text() == command_line_page(), "run `make docs`"


def test_it_names_commands_options_and_codes():
    page = command_line_page()
    assert all(f"## `twinwall {name}`" in page for name in COMMANDS)
    assert all(f"| {code.value} | {code.meaning} |" in page for code in ExitCode)
    assert "| `--then PACKET` |" in page
