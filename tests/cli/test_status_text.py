"""`status` in lines, from a `Status` that no kernel has seen."""

from __future__ import annotations

from twinwall.cli.status_text import columns, status_lines
from twinwall.enforce.journal import Author
from twinwall.enforce.lock import Holder
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, Confirmed, InForce, Pending
from twinwall.enforce.status import Differing, Interface, Receivers, Status
from twinwall.enforce.status_counts import Counted, RuleCount, VerdictCount
from twinwall.live.conntrack import TableFill
from twinwall.live.nfqueue import QueueFill
from twinwall.render.sysctls import Setting

POLICY = Source(
    Kind.POLICY,
    (("p.yaml", "twinwall: 1\nstateful: {rules: 'pass ip any any -> any any (sid:1;)'}\nattach: {outside: [w]}\n"),),
)


def rule(sid, packets, text="pass ip any any -> any any"):
    return RuleCount("stateful", sid, "pass", "", text, packets, packets * 1000)


def status(**changed):
    known = {
        "force": InForce(Chosen("ab" * 16, "p.yaml"), 3, way="nft", why="no privilege", since="today"),
        "policy": POLICY.policy(),
        "by": "ann",
        "confirmed": Confirmed(Chosen("cd" * 16, "other.yaml")),
        "interfaces": (Interface("w", True, "nft"), Interface("gone", False, "")),
        "counted": Counted(
            tuple(rule(sid, sid % 13) for sid in range(1, 30)),
            (VerdictCount("stateful", "pass", "rule", 9, 90), VerdictCount("stateful", "drop", "invalid", 1, 10)),
        ),
        "table": TableFill(50, 100, {"drop": 3}),
        "queues": (QueueFill(5, 1, 2, 3, 40),),
        "settings": (Differing(Setting("net.x", "1", "because", required=False), "0"),),
    }
    return Status(**{**known, **changed})


def lines(given, **asked):
    return list(status_lines(given, **{"every": False, **asked}))


def test_what_is_in_force_and_what_boots_are_told_apart():
    told = lines(status())
    assert told[0] == "policy      p.yaml (abababababab), generation 3, in force since today by ann"
    assert told[1] == "at boot     another policy: other.yaml (cdcdcdcdcdcd)"


def test_drops_stand_in_front():
    told = lines(status())
    rows = [line.split()[:4] for line in told if line.startswith(("drop ", "pass "))]
    assert rows == [["drop", "stateful", "invalid", "1"], ["pass", "stateful", "rule", "9"]]


def test_the_busiest_rules_are_shown_or_all_of_them():
    few = [line for line in lines(status()) if line.startswith("stateful") and "->" in line]
    assert len(few) == 10
    assert [int(line.split()[2]) for line in few] == sorted((int(line.split()[2]) for line in few), reverse=True)
    every = [line for line in lines(status(), every=True) if line.startswith("stateful") and "->" in line]
    assert [int(line.split()[1]) for line in every] == list(range(1, 30))


def test_rates_stand_beside_the_counts():
    told = lines(status(counted=Counted((rule(1, 5),))), rates={("stateful", 1): 2.6})
    assert any("packets/s" in line for line in told)
    assert any(line.split()[:5] == ["stateful", "1", "5", "5000", "3"] for line in told)


def test_a_long_rule_is_cut():
    (line,) = (each for each in lines(status(counted=Counted((rule(1, 5, "pass " * 100),)))) if each.startswith("stateful"))
    assert line.endswith("…")


def test_notes_say_what_is_worth_knowing():
    told = [line for line in lines(status()) if line.startswith("note")]
    assert len(told) == 5
    assert any("not in XDP: no privilege" in line for line in told)
    assert any("there is no interface gone" in line for line in told)
    assert any("3 packets were dropped since boot" in line for line in told)
    assert any("queue 5 had no room for 5 packets" in line for line in told)


def test_columns_are_as_wide_as_they_must_be():
    assert list(columns(("rule", "packets"), [("long name", "1"), ("x", "1,000")])) == [
        "rule       packets",
        "long name        1",
        "x            1,000",
    ]


def duty(command, pid=12):
    return Holder(pid, command, 1)


def rows(given):
    return {line[:12].strip(): line[12:] for line in lines(given)}


def test_whether_a_guard_runs_is_said():
    assert rows(status())["guard"].startswith("does not run: nobody undoes what others change")
    assert rows(status(guard=duty("guard")))["guard"] == "runs (process 12)"
    assert rows(status(guard=duty("", 0)))["guard"] == "runs"
    assert "guard" not in rows(Status())


def test_a_watchdog_is_told_of_where_there_is_a_trial():
    trial = Pending("1", "apply", None, None, Author(), "boot", deadline=1.0, until="then")
    assert "watchdog" not in rows(status())
    assert rows(status(pending=trial))["watchdog"] == "does not run"
    assert rows(status(pending=trial, watchdog=duty("watchdog 1")))["watchdog"] == "runs (process 12)"


def test_an_inspector_is_told_of_where_rules_need_one_and_its_queues_with_who_receives_them():
    assert "inspector" not in rows(status())
    asked = {"force": InForce(Chosen("ab" * 16, "p.yaml"), 3, queue="target")}
    told = rows(status(**asked, receivers=Receivers({}, {5: "suricata (process 7)"})))
    assert told["inspector"].startswith("does not run with this state folder")
    assert told["queue 5"] == "1 wait; 40 so far, 5 without room; suricata (process 7) receives it"
    assert rows(status(**asked, inspector=duty("inspect")))["inspector"] == "runs (process 12)"
