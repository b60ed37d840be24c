from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twinwall.lab.play import incomparable, lacking, words
from twinwall.lab.scenarios import SCENARIOS
from twinwall.lab.servers import Served
from twinwall.policy.model import Nat, Policy

SERVED = Served(Path("lab"), {"nginx": "nginx is not installed"}, {"host": "10.20.0.10", "options": ("-F", "none")})
WEB, PING = (next(each for each in SCENARIOS if each.name == name) for name in ("web", "ping"))


def test_names_in_a_command_are_replaced_and_one_may_stand_for_several_words():
    assert words(["ssh", "{options}", "root@{host}"], SERVED) == ["ssh", "-F", "none", "root@10.20.0.10"]


def test_a_row_whose_server_is_missing_is_not_played():
    assert lacking(WEB, SERVED) == "nginx is not installed"
    assert lacking(replace(WEB, server=""), SERVED) == ""


def test_a_row_whose_program_is_missing_is_not_played():
    assert lacking(replace(WEB, command=("no-such-program",)), SERVED) == "no-such-program is not installed"
    assert lacking(replace(PING, during=("no-such-program",)), SERVED) == "no-such-program is not installed"


def test_where_packets_were_lost_or_change_replay_is_not_compared():
    assert incomparable(Policy(), 0) == []
    assert "3 packets" in incomparable(Policy(), 3)[0]
    assert "translates" in incomparable(Policy(nat=Nat(masquerade=("wan0",))), 0)[0]
