from __future__ import annotations

import json

from tests.cli.running import modules_after, twinwall, write_policy

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
RULES = """
    pass tcp 10.0.0.0/24 any -> any 443 (msg:"web"; flow:to_server; sid:100;)
    reject tcp any any -> any 23 (msg:"telnet"; sid:101;)
"""


def test_a_conversation(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", RULES)
    assert twinwall("explain", policy, SYN, "--then", "< S.", "--then", "> .") == 0
    printed = capsys.readouterr().out
    stories = printed.split("\n\n")
    assert [story.splitlines()[0] for story in stories] == [
        "tcp 10.0.0.5:40000 > 198.51.100.7:443 S seq 1000 ack 0",
        "tcp 198.51.100.7:443 > 10.0.0.5:40000 S. seq 5000 ack 1001",
        "tcp 10.0.0.5:40000 > 198.51.100.7:443 . seq 1001 ack 5001",
    ]
    assert 'pass by stateful rule 100 "web"' in stories[0]
    assert f"{policy}:4" in stories[0].replace("\n               ", "")
    assert "SYN_RECV -> ESTABLISHED" in stories[2]
    assert "\x1b" not in printed


def test_json_says_the_same(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", RULES)
    assert twinwall("explain", "--json", policy, SYN.replace("443", "23")) == 0
    (packet,) = json.loads(capsys.readouterr().out)["packets"]
    assert (packet["verdict"], packet["reject"], packet["rule"]["sid"]) == ("reject", "tcp_reset", 101)
    assert packet["rule"]["file"] == str(policy)


def test_a_packet_that_is_not_understood(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", RULES)
    assert twinwall("explain", policy, SYN, "--then", "< Q") == 2
    printed = capsys.readouterr()
    assert "error: column 3: expected TCP flags" in printed.err
    assert printed.out == "", "nothing half-said"


def test_a_policy_with_mistakes(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", "pass tcp any any -> any (sid:1;)")
    assert twinwall("explain", policy, SYN) == 3
    assert f"{policy}:4:" in capsys.readouterr().err


def test_interfaces_and_vlans_and_time(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", 'drop tcp any any -> any any (interface:lan0; msg:"lan"; sid:9;)', "stateless")
    assert twinwall("explain", policy, f"{SYN} iface lan0 vlan 7 after 30s") == 0
    assert 'drop by stateless rule 9 "lan"' in capsys.readouterr().out
    assert twinwall("explain", policy, f"{SYN} iface lan1") == 0
    assert "  verdict    pass" in capsys.readouterr().out


def test_it_starts_without_a_compiler_or_the_terminal_library(tmp_path):
    policy = write_policy(tmp_path / "p.yaml", RULES)
    loaded = {name.partition(".")[0] for name in modules_after("explain", policy, SYN, "--then", "< S.")}
    assert not loaded & {"numba", "llvmlite", "rich", "pyarrow"}
