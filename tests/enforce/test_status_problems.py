"""What is wrong with what is in force, from a `Status` that no kernel has seen; `test_status` makes each of them happen."""

from __future__ import annotations

import pytest

from tests.cli.test_status_text import duty, status
from tests.enforce.test_blueprint import made
from twinwall.enforce.journal import Author
from twinwall.enforce.state import Pending
from twinwall.enforce.status import Differing, Interface, Status
from twinwall.enforce.status_problems import problems, remarks
from twinwall.live.conntrack import TableFill
from twinwall.live.error import EnforcementError
from twinwall.live.nfqueue import QueueFill
from twinwall.render.sysctls import Setting

TRIAL = Pending("1", "apply", None, None, Author(), "boot", deadline=1.0, until="then")
REQUIRED = Setting("net.x", "1", "because", required=True)
ATTACHED = "twinwall: 1\nattach: {{mode: host, outside: [w], queues: 5-6, on_inspection_failure: {}}}\n"
QUEUED = made(queue="target").force
UNKNOWN = EnforcementError("see what is in force", "nobody knows", "ask")


def sound(**changed):
    return status(**{"interfaces": (), "settings": (), "table": None, "queues": (), **changed})


def inspected(on_failure):
    return made(ATTACHED.format(on_failure), queue="target").policy


def queue(number, refused=0):
    return QueueFill(number, 0, refused, 0, 9)


WRONG = {
    "nothing was ever applied": (Status(), "none", "no policy is in force", "twinwall apply"),
    "somebody removed it": (sound(force=None), "gone", "other.yaml (cdcdcdcdcdcd) is confirmed", "twinwall boot"),
    "another state folder's": (Status(unknown=UNKNOWN), "unknown", "nobody knows", "ask"),
    "somebody changed it": (sound(damaged=True), "changed", "p.yaml (abababababab)", "guard --once"),
    "no program": (sound(interfaces=(Interface("w", True, ""),)), "interface", "does not run on w", "guard --once"),
    "no tc program": (
        sound(interfaces=(Interface("w", True, "xdp native", stamped=False),)), "interface", "w has lost the tc", "guard --once"
    ),
    "an expired trial": (sound(pending=TRIAL, expired=True), "expired", "is over", "guard --once"),
    "a trial without a watchdog": (sound(pending=TRIAL), "unwatched", "would not end by itself", "another watchdog"),
    "a full table": (sound(table=TableFill(900, 1000, {})), "full", "900 of 1,000", "tracking.connections"),
    "no inspector": (
        sound(force=QUEUED, policy=inspected("drop"), queues=(queue(5),)), "inspector", "queue 6: packets of `inspect` rules "
        "are dropped", "twinwall inspect"
    ),
    "no inspector at all": (
        sound(force=QUEUED, policy=inspected("pass")), "inspector", "2 of 2 queues: packets of `inspect` rules "
        "pass uninspected", "twinwall inspect"
    ),
    "a setting": (sound(settings=(Differing(REQUIRED, "0"),)), "setting", "net.x is 0, and the policy wants 1", "guard --once"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_problem_is_said_with_what_follows_and_the_remedy(name):
    given, kind, words, remedy = WRONG[name]
    (problem,) = problems(given)
    assert problem.kind == kind
    assert words in problem.text
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "given",
    [
        sound(),
        sound(interfaces=(Interface("w", True, "nft"), Interface("away", False, ""))),
        sound(pending=TRIAL, watchdog=duty("watchdog")),
        sound(table=TableFill(899, 1000, {})),
        sound(table=TableFill(5, 0, {})),
        sound(force=QUEUED, policy=inspected("drop"), queues=(queue(5), queue(6))),
    ],
)
def test_what_is_as_it_should_be_is_no_problem(given):
    assert problems(given) == ()


def test_where_nothing_is_in_force_nothing_else_is_said_of_it():
    assert [each.kind for each in problems(Status(damaged=False, queues=(queue(5),)))] == ["none"]


def test_what_is_worth_knowing_is_no_problem():
    known = sound(
        pending=TRIAL,
        watchdog=duty("watchdog"),
        beside=(("w.5", "w"),),
        queues=(queue(5, refused=4),),
        table=TableFill(1, 9, {"drop": 3}),
    )
    told = "\n".join(remarks(known))
    assert problems(known) == ()
    for words in (
        "on trial until then",
        "w.5 stands on w",
        "queue 5 had no room for 4 packets",
        "3 packets were dropped since",
    ):
        assert words in told
