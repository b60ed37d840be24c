"""The commands in the documentation work as pasted.

Every block of README.md, CONTRIBUTING.md, docs/ and the examples that is fenced as `console` is run, in order, in a copy of
the checkout.  Lines that begin with `$ ` are commands; what follows one up to the next command or an empty line is what it
must print, where `…` stands for anything (within a line, or for whole lines when it stands alone).  A block whose fence says
`console skip: reason` is shown but not run; a command that may fail says so by ` # exit N` at its end.  A block fenced as
`console gateway` is run as root in a network namespace with the interfaces lan0 and wan0, one for each page; without root it
is skipped.

Blocks fenced as `python` are programs of their own, run in the same copy, in order with the others; a block fenced as `text`
right behind one is what it must print.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.conntrack.generated import CONVERSATIONS
from tests.oracle.kernel import Namespace, why_unavailable
from tests.path.test_three_ways import PACKETS
from tests.suricata.rules import POLICIES, alert_rules

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "docs", ROOT / "examples"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(page for folder in FOLDERS for page in sorted(folder.rglob("*.md")))]
FENCE = re.compile(
    r"^```(?P<kind>console|python)(?P<note>[^\n]*)\n(?P<body>.*?)^```$(?:\n+^```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
EXIT = re.compile(r"\s+# exit (\d+)$")
LEFT_OUT = {
    ".git",
    ".venv",
    "tests",
    "fuzz",
    ".work",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
}
PATIENCE = 300  # seconds
GATEWAY = """
ip link add lan0 type veth peer name lan1
ip link add wan0 type veth peer name wan1
ip link set lan0 up
ip link set wan0 up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
"""
SEEDS = 150  # tests/conntrack/test_kernel.py: of each kind of conversation


@dataclass(frozen=True)
class Command:
    """One command of a block, its expected exit code and the lines it must print (empty: anything)."""

    line: str
    status: int
    expected: tuple[str, ...]


def commands(body: str) -> list[Command]:
    """The commands of one block."""
    found: list[Command] = []
    for part in re.split(r"^\$ ", re.sub(r"\\\n(?:> )?", "", body), flags=re.MULTILINE)[1:]:
        line, _, rest = part.partition("\n")
        status = EXIT.search(line)
        expected = tuple(row.rstrip() for row in rest.split("\n\n$", maxsplit=1)[0].rstrip().splitlines())
        found.append(Command(EXIT.sub("", line), int(status[1]) if status else 0, expected))
    return found


def pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    """The expectation as a regular expression."""
    anything = r"(?:.*\n)*?"
    rows = [anything if row.strip() == "…" else re.escape(row).replace("…", ".*") + r"\s*\n" for row in expected]
    return re.compile("".join(rows))


def steps(kind: str, body: str, printed: str | None) -> list[Command]:
    """What to run for a block."""
    if kind == "console":
        return commands(body)
    expected = tuple(row.rstrip() for row in (printed or "").splitlines())
    return [Command(f"{shlex.quote(sys.executable)} -c {shlex.quote(body)}", 0, expected)]


def blocks() -> list[pytest.param]:
    found = []
    for page in PAGES:
        for number, match in enumerate(FENCE.finditer(page.read_text()), 1):
            if not match["note"].strip().startswith("skip"):
                wanted = steps(match["kind"], match["body"], match["printed"])
                where = str(page) if match["note"].strip() == "gateway" else ""
                marks = [pytest.mark.kernel] if where else []
                found.append(pytest.param(wanted, where, id=f"{page.relative_to(ROOT)}:{number}", marks=marks))
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout without what is made in it."""
    place = tmp_path_factory.mktemp("documentation") / "twinwall"
    shutil.copytree(ROOT, place, ignore=lambda _, names: LEFT_OUT & set(names))
    return place


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[list[str], dict[str, str]]]]:
    """For a page: the words that run a command on its gateway, and the environment there."""
    made: dict[str, Namespace] = {}

    def gateway(page: str) -> tuple[list[str], dict[str, str]]:
        reason = why_unavailable()
        if reason:
            pytest.skip(reason)
        if page not in made:
            made[page] = Namespace()
            made[page].run("sh", "-e", text=GATEWAY)
        state = tmp_path_factory.getbasetemp() / f"state-{len(made)}-{Path(page).stem}"
        return ["nsenter", f"--net={made[page].path}"], {"TWINWALL_STATE": str(state)}

    yield gateway
    for each in made.values():
        each.close()


def run(
    command: Command, place: Path, inside: Sequence[str] = (), environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # `make test` is no outer make
    plain = {**given, **environment, "PATH": programs, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [*inside, "/bin/sh", "-c", command.line],
        cwd=place, env=plain, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(("wanted", "where"), blocks())
def test_commands_work_as_pasted(wanted: list[Command], where: str, copy: Path, gateways: Callable) -> None:
    assert wanted, "a console block without a command"
    inside, environment = gateways(where) if where else ([], {})
    for command in wanted:
        done = run(command, copy, inside, environment)
        assert done.returncode == command.status, f"{command.line}\n{done.stdout}\n{done.stderr}"
        if command.expected:
            printed = "".join(f"{row.rstrip()}\n" for row in (done.stdout + done.stderr).splitlines())
            assert pattern(command.expected).fullmatch(printed), f"{command.line}\n{printed}"


def test_no_page_shows_a_shell_prompt_outside_a_tested_block() -> None:
    for page in PAGES:
        rest = FENCE.sub("", page.read_text())
        assert not re.search(r"^\$ ", rest, re.MULTILINE), f"{page.relative_to(ROOT)}: fence it as console"


def test_the_readme_counts_as_the_tests_do() -> None:
    text = (ROOT / "README.md").read_text()
    probe = json.loads((ROOT / "vectors/suricata/probe.json").read_text())["vectors"]
    loaded = json.loads((ROOT / "vectors/rules/suricata.json").read_text())["rules"]
    assert f"{PACKETS:,} generated packets" in text
    assert f"{len(CONVERSATIONS) * SEEDS} generated conversations" in text
    assert f"what a verdict covers: {len(probe)} rows" in text
    assert f"{len(alert_rules())} rules on " in text
    assert f"{len(POLICIES)} policies" in text
    assert f"| {len(loaded)} rules |" in text


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#` on a page: its headings, as the usual viewers spell them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_links_into_pages_name_headings() -> None:
    for page in PAGES:
        for name, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*\.md)?#([^)\s]+)\)", page.read_text()):
            assert anchor in anchors(page.parent / name if name else page), f"{page.relative_to(ROOT)}: {name}#{anchor}"


def test_the_runner_reads_a_program_and_what_it_prints() -> None:
    match = FENCE.search("```python\nprint(1)\n```\n\n```text\n1\n```\n")
    assert match
    (only,) = steps(match["kind"], match["body"], match["printed"])
    assert only.line.endswith("-c 'print(1)\n'")
    assert only.expected == ("1",)


def test_the_runner_reads_a_block() -> None:
    block = "$ echo one; false # exit 1\none\n$ printf 'a\\nb\\nc\\n'\na\n…\nc\n"
    first, second = commands(block)
    assert (first.line, first.status, first.expected) == ("echo one; false", 1, ("one",))
    assert pattern(second.expected).fullmatch("a\nb\nc\n")
    assert not pattern(second.expected).fullmatch("a\nb\n")
