from __future__ import annotations

import json

from tests.engine.world import World, stateful
from twinwall.engine.story_data import rule_data, story_data

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"


def test_a_story_as_data():
    world = World(stateful('reject tcp any any -> any 443 (msg:"web"; sid:7; rev:2;)'))
    data = story_data(world.story(SYN))
    assert json.loads(json.dumps(data)) == data
    lines, flow = data.pop("lines"), data.pop("flow")
    rule = {
        "sid": 7, "gid": 1, "rev": 2, "msg": "web", "action": "reject", "synthetic": False, "file": "test.yaml", "line": 6,
    }  # fmt: skip
    assert data == {
        "packet": 1, "title": "told", "verdict": "reject", "proto": "tcp", "src": "10.0.0.5:40000", "dst": "198.51.100.7:443",
        "stage": "stateful", "reason": "rule_flow",
        "explanation": "a stateful rule decided this packet and, with it, its flow", "ct_state": "NEW",
        "direction": "original", "established": False, "scope": "flow", "reject": "tcp_reset", "rule": rule,
    }  # fmt: skip
    assert {"section": "stateful", "text": 'rule 7 "web" matches', "event": "match", "rule": rule} in lines
    assert (flow["state_before"], flow["state_after"], flow["timeout_left"]) == (None, "SYN_SENT", 120.0)
    assert (flow["seen_reply"], flow["assured"], flow["verdict"]) == (False, False, "reject")


def test_what_does_not_apply_is_null():
    data = story_data(World("stateless: {default: drop}\n").story(SYN))
    assert [data[name] for name in ("ct_state", "direction", "established", "reject", "rule", "flow")] == [None] * 6
    waiting = story_data(World("").story("udp 10.0.0.5:1 > 10.0.0.6:2 frag 0+"))
    assert (waiting["verdict"], waiting["reason"], waiting["stage"]) == ("pending", None, None)


def test_synthetic_rules_have_no_place():
    world = World("stateful: {order: strict, default: [drop_strict]}\n")
    data = rule_data(world.story(SYN).rule)
    assert (data["synthetic"], data["file"], data["line"]) == (True, None, None)
