from __future__ import annotations

import re
from pathlib import Path

import pytest

from twinwall.lab.addresses import PEOPLE
from twinwall.lab.scenarios import SCENARIOS, Kind

ROOT = Path(__file__).parents[2]
KNOWN = {*PEOPLE._asdict(), "user", "shell_options"}
PACKAGES = {"dig": "dnsutils", "ping": "iputils-ping", "ssh": "openssh-client"}


def test_names_are_unique():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_row_is_complete(scenario):
    used = {name for word in (*scenario.command, *scenario.during) for name in re.findall(r"{(\w+)}", word)}
    assert used <= KNOWN
    assert (scenario.signature is not None) == (scenario.kind is Kind.ATTACK)
    assert scenario.tool.split()[0] == scenario.program
    assert scenario.signature is None or scenario.signature.source in PEOPLE._asdict()


def test_the_programs_are_among_those_that_the_machine_gets():
    listed = (ROOT / "tools/install-debian-packages").read_text().split()
    assert all(PACKAGES.get(scenario.program, scenario.program) in " ".join(listed) for scenario in SCENARIOS)


def test_attacks_come_from_outside():
    assert {scenario.place for scenario in SCENARIOS if scenario.kind is Kind.ATTACK} == {"outside"}
