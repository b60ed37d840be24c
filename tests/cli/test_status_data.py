"""`status --json`: what programs read, from a `Status` that no kernel has seen."""

from __future__ import annotations

import json

from tests.cli.test_status_text import duty, status
from twinwall.cli.status_data import status_data
from twinwall.enforce.journal import Author
from twinwall.enforce.state import Chosen, InForce, Pending
from twinwall.enforce.status import Interface, Receivers, Status
from twinwall.enforce.status_counts import explain
from twinwall.live.error import EnforcementError


def trial(**more):
    return Pending("1", "apply", None, None, Author(), "boot", **more)


def test_the_same_as_data():
    data = status_data(status())
    assert data["policy"] == {"name": "p.yaml", "digest": "ab" * 16, "generation": 3, "since": "today"}
    assert data["interfaces"][1] == {"name": "gone", "present": False, "way": None}
    assert data["connections"]["statistics"] == {"drop": 3}
    assert data["settings"] == [{"name": "net.x", "value": "0", "wanted": "1", "required": False}]
    assert data["stateless"] == {"way": "nft", "why": "no privilege"}
    assert data["confirmed"] == {"name": "other.yaml", "digest": "cd" * 16}


def test_who_works_all_the_time_is_named():
    data = status_data(status(guard=duty("guard"), receivers=Receivers({1776: "x (process 7)"}, {5: "y (process 8)"})))
    assert data["guard"] == {"running": True, "process": 12}
    assert data["watchdog"] == data["inspector"] == {"running": False, "process": None}
    assert data["receivers"] == {"log_groups": {"1776": "x (process 7)"}, "queues": {"5": "y (process 8)"}}
    assert data["log_groups_read"] == [1776]
    assert status_data(status(guard=duty("", 0)))["guard"] == {"running": True, "process": None}, "it cannot be seen from here"


def test_of_nothing_in_force_the_same_keys_are_there_and_null():
    nothing = status_data(Status())
    assert nothing.keys() == status_data(status()).keys()
    for key in ("policy", "by", "confirmed", "on_trial_until", "mode", "stateless", "connections"):
        assert nothing[key] is None, key
    assert nothing["in_force"] is False
    assert nothing["rules"] == nothing["verdicts"] == nothing["queues"] == []
    assert [each["kind"] for each in nothing["problems"]] == ["none"]


def test_what_cannot_be_told_is_a_problem_with_a_remedy():
    unknown = EnforcementError("see what is in force", "this state folder does not know it", "name the other one with --state")
    (problem,) = status_data(Status(unknown=unknown))["problems"]
    assert problem["kind"] == "unknown"
    assert "this state folder does not know it" in problem["text"]
    assert problem["remedy"] == "name the other one with --state"


def test_it_is_json_and_comes_back_as_it_was():
    data = status_data(status())
    assert json.loads(json.dumps(data)) == data


def test_a_trial_says_until_when_and_a_change_under_way_does_not():
    assert status_data(status(pending=trial(deadline=1.0, until="then")))["on_trial_until"] == "then"
    assert status_data(status(pending=trial()))["on_trial_until"] is None
    assert any("has begun and is not finished" in each for each in status_data(status(pending=trial()))["remarks"])


def test_each_verdict_is_explained_and_each_rule_is_told_whole():
    data = status_data(status())
    assert {each["reason"]: each["explanation"] for each in data["verdicts"]} == {
        name: explain(name) for name in ("rule", "invalid")
    }
    assert [each["sid"] for each in data["rules"]] == list(range(1, 30)), "programs get all of them, in their order"
    assert data["rules"][0] == {
        "stage": "stateful", "sid": 1, "action": "pass", "message": "",
        "text": "pass ip any any -> any any", "packets": 1, "bytes": 1000,
    }  # fmt: skip


def test_queues_are_told_without_their_netlink_address():
    (queue,) = status_data(status())["queues"]
    assert queue["number"] == 5
    assert "receiver" not in queue


def test_a_lost_program_is_an_interface_without_a_way():
    data = status_data(status(interfaces=(Interface("w", True, ""),), force=InForce(Chosen("ab" * 16, "p.yaml"), 3)))
    assert data["interfaces"] == [{"name": "w", "present": True, "way": None}]
    assert "interface" in [each["kind"] for each in data["problems"]]
