"""The lab as users start it: once as root, once as nobody; what the table must say."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.cli.running import PROGRAM, twinwall
from tests.lab.worlds import TOOLS, as_nobody, lab_or_skip
from twinwall.lab.messages import Outcome, Play
from twinwall.lab.places import found
from twinwall.lab.policies import STATEFUL, bundled
from twinwall.lab.scenarios import SCENARIOS, Kind
from twinwall.lab.world import Worlds, find_ground
from twinwall.rules.policy_file import load_policy

pytestmark = pytest.mark.kernel
PATIENCE = 120  # seconds
ATTACKS = [scenario.name for scenario in SCENARIOS if scenario.kind is Kind.ATTACK]
OPEN_TO_ALL = {"flood"}  # what a stateful firewall lets in as well: each packet alone is right
REFUSED_BY_ALL = {"syn-scan"}


def played(prefix=(), environment=None):
    lab_or_skip()
    done = subprocess.run(
        [*prefix, *PROGRAM, "lab", "--json"],
        capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment or os.environ, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return played()


@pytest.fixture(scope="module")
def without_privileges(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nobody")
    folder.chmod(0o755)
    prefix, environment = as_nobody(folder)
    probe = subprocess.run([*prefix, "unshare", "--user", "--net", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no user namespaces for everybody here: {probe.stderr.strip()}")
    return played(prefix, environment)


def cells(data, policy):
    """What the programs that are installed came to."""
    found = {row["scenario"]: row["policies"][policy] for row in data["rows"]}
    return {name: cell for name, cell in found.items() if cell["reached"] is not None}


def check_the_table(data):
    """What is true of the three policies wherever they are enforced."""
    for policy in ("stateless", "stateful", "both"):
        wanted = {name: cell for name, cell in cells(data, policy).items() if name not in ATTACKS}
        assert {name: cell["words"] for name, cell in wanted.items() if not cell["reached"]} == {}
    attacks = {policy: cells(data, policy) for policy in ("stateless", "stateful", "both")}
    for name in attacks["stateless"].keys() & set(ATTACKS):
        stateless, stateful, both = (attacks[policy][name] for policy in attacks)
        assert all(cell["sent"] > 0 for cell in (stateless, stateful, both)), name
        assert stateless["arrived"] == (0 if name in REFUSED_BY_ALL else stateless["sent"]), name
        assert stateful["arrived"] == (stateful["sent"] if name in OPEN_TO_ALL else 0), name
        assert both["arrived"] == 0, name


def check_replay(data):
    assert [policy["differences"] for policy in data["policies"]] == [[], [], []]
    every = [cell for row in data["rows"] for cell in row["policies"].values() if cell["reached"] is not None]
    assert all(cell["judged"] == cell["agreed"] for cell in every)
    assert sum(cell["judged"] for cell in every) > 1000


def test_the_table(as_root):
    check_the_table(as_root)


def test_replay_says_what_the_kernel_did(as_root):
    check_replay(as_root)


def test_a_flood_fills_the_table_of_a_stateful_firewall_only(as_root):
    left = {
        policy: found["flood"] for policy in ("stateless", "stateful", "both") if "flood" in (found := cells(as_root, policy))
    }
    if not left:
        pytest.skip("hping3 or sshd is not installed")
    assert left["stateless"]["connections"] == left["both"]["connections"] == 0
    assert left["stateful"]["connections"] == left["stateful"]["sent"]


def test_nobody_sees_the_same_table(without_privileges):
    assert without_privileges["ground"] == "a user namespace"
    check_the_table(without_privileges)
    check_replay(without_privileges)


def test_nobody_hears_why_xdp_was_not_possible(without_privileges):
    stateless = without_privileges["policies"][0]
    assert stateless["stateless_stage"] == "nft"
    assert any("XDP" in note and "not permitted" in note for note in stateless["notes"])


def test_a_policy_of_ones_own(tmp_path):
    lab_or_skip()
    file = tmp_path / "mine.yaml"
    file.write_text(
        "twinwall: 1\nstateful:\n  order: strict\n  default: drop_strict\n  rules: |\n"
        "    pass ip [10.20.0.0/16,2001:db8:20::/48] any -> any any (sid:7;)\n"
        "attach: {inside: lan0, outside: wan0}\n"
    )
    ground = find_ground()
    with Worlds(ground) as worlds:
        mine = worlds.run(Play("yours", ground.privileged, load_policy(file)), Outcome, lambda _: None)
    assert mine.differences == []
    assert mine.rules == 1
    reached = {name: cell.reached for name, cell in mine.cells.items() if cell.reached is not None}
    attacks = {name for name in reached if reached[name] and name in ATTACKS}
    assert attacks == set()
    assert not reached.get("shell")
    assert all(reached.get(name, True) for name in ("web", "web6", "names", "large-answer", "no-server", "ping"))


def test_a_policy_that_linux_cannot_enforce_is_refused_by_name(tmp_path, capsys):
    lab_or_skip()
    file = tmp_path / "mine.yaml"
    file.write_text("twinwall: 1\ntracking: {flows: rules}\nstateful:\n  rules: |\n    pass tcp any any -> any 80 (sid:7;)\n")
    assert twinwall("lab", file) == 3
    assert "flows" in capsys.readouterr().err


def test_a_program_that_is_missing_is_named_and_its_rows_are_not_played(tmp_path, monkeypatch):
    lab_or_skip()
    for name in (*TOOLS, "unshare", "nsenter", "true", "ping"):
        (tmp_path / name).symlink_to(found(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("twinwall.lab.places.PROGRAM_FOLDERS", ())
    ground = find_ground()
    with Worlds(ground) as worlds:
        done = worlds.run(Play("stateful", ground.privileged, bundled(STATEFUL)), Outcome, lambda _: None)
    said = {name: cell.words for name, cell in done.cells.items() if cell.reached is None}
    assert said["web"] == "curl is not installed"
    assert said["shell"] == "ssh is not installed"
    assert done.cells["ping"].reached
