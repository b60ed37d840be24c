"""Play every scenario under one policy, and say what happened to its packets."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from twinwall.lab.crossing import crossings
from twinwall.lab.messages import Outcome, Play, Progress
from twinwall.lab.places import Site, has_ipv6, program
from twinwall.lab.policies import DEFAULT_ATTACH, attached, departures, rule_count
from twinwall.lab.scenarios import SCENARIOS, Kind, Scenario
from twinwall.lab.servers import Served, serve
from twinwall.lab.shield import shield
from twinwall.lab.sum_up import Played, by_row, cell, differences
from twinwall.lab.tap import Tap
from twinwall.lab.twin import judge
from twinwall.policy.model import Nat, Policy

TALK = 20  # packets that say that two are talking
BEGINNING = 2.0  # seconds in which the talk that an attack aims at must begin
COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")

Answer = Callable[[object], None]


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on."""

    site: Site
    served: Served
    tap: Tap


def play(task: Play, folder: Path, answer: Answer) -> Outcome:
    """Build the places, enforce the policy, play, and hold replay against what happened."""
    policy = attached(task.policy)
    attach = policy.attach or DEFAULT_ATTACH
    site = Site(attach.inside[0], attach.outside[0])
    served = serve(site, folder, privileged=task.privileged)
    with shield(policy, folder) as armour:
        with Tap(site) as tap:
            played = []
            for scenario in SCENARIOS:
                answer(Progress(task.name, scenario.name))
                played.append(_play_one(scenario, Stage(site, served, tap)))
            lost = tap.lost()
        unsaid = incomparable(policy, lost)
        crossed = crossings(tap.seen)
        said = [] if unsaid else judge(policy, crossed, site.interfaces, folder)
        rows = by_row(played, crossed, said)
        return Outcome(
            name=task.name,
            cells={one.scenario.name: cell(one, packets) for one, packets in zip(played, rows, strict=True)},
            differences=differences(played, rows),
            notes=[*departures(task.policy), *armour.notes, *unsaid],
            stateless_in=armour.way,
            rules=rule_count(policy),
        )


def incomparable(policy: Policy, lost: int) -> list[str]:
    """Why replay cannot be held against the kernel."""
    reasons = []
    if lost:
        reasons.append(f"the taps lost {lost:,} packets on this busy machine; replay was not compared")
    if policy.nat != Nat():
        reasons.append("the policy translates addresses; replay was not compared, packets change on their way")
    return reasons


def _play_one(scenario: Scenario, stage: Stage) -> Played:
    why_not = lacking(scenario, stage.served)
    before, start = _connections(), time.time_ns()
    if why_not:
        return Played(scenario, start, None, why_not)
    if scenario.during:
        reached, said = _attack_a_talk(scenario, stage)
    else:
        reached, said = _run(scenario, stage)
    stage.tap.settle()
    return Played(scenario, start, reached, said, _connections() - before)


def lacking(scenario: Scenario, served: Served) -> str:
    """Why the scenario cannot be played; empty if it can."""
    for name in filter(None, (scenario.program, *scenario.during[:1])):
        if program(name) is None:
            return f"{name} is not installed"
    if scenario.ipv6 and not has_ipv6():
        return "this kernel has no IPv6"
    return served.missing.get(scenario.server, "")


def _run(scenario: Scenario, stage: Stage) -> tuple[bool | None, str]:
    """Run the program; of a wanted row, whether it reached its goal, and its last words where it did not."""
    done = stage.site.place(scenario.place).attempt(words(scenario.command, stage.served))
    if scenario.kind is Kind.ATTACK:
        return False, ""
    said = f"{done.stdout}\n{done.stderr}"
    reached = bool(re.search(scenario.says, said)) if scenario.says else done.returncode == 0
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return reached, "" if reached or not lines else lines[-1]


def _attack_a_talk(scenario: Scenario, stage: Stage) -> tuple[bool | None, str]:
    """Let two talk, and attack when they do."""
    talking = words(scenario.during, stage.served)
    log = stage.served.folder / f"{scenario.name}.out"
    with log.open("wb") as stream:
        talk = stage.site.inside.start(talking, stream)
        try:
            if not stage.tap.grows_by(TALK, BEGINNING):
                return None, "there is no talk to attack: the policy does not let it begin"
            return _run(scenario, stage)
        finally:
            talk.kill()
            talk.wait()


def words(command: Sequence[str], served: Served) -> list[str]:
    """The command with names in it replaced; a name alone may stand for several words."""
    found: list[str] = []
    for word in command:
        whole = served.words.get(word.strip("{}")) if word.startswith("{") and word.endswith("}") else None
        if isinstance(whole, tuple):
            found += whole
        else:
            found.append(word.format(**served.words))
    return found


def _connections() -> int:
    """How many entries the firewall's connection table has; none if the kernel has no tracker."""
    return int(COUNT.read_text()) if COUNT.exists() else 0
