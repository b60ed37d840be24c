"""Default actions as rules: names, sids, order, what reports and what drops in silence."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from twinwall.compile.defaults import default_rules
from twinwall.path.reason import Reason
from twinwall.policy.model import Action, FlowDirection, RuleType, StatefulDefault

D = StatefulDefault
PAIRS = [(D(f"drop_{name}"), D(f"alert_{name}")) for name in (
    "strict", "established", "established_app_layer", "established_app_layer_to_server")]  # fmt: skip


def said(*chosen):
    return [(each.rule.action, each.rule.message, each.rule.sid, each.rule.noalert) for each in default_rules(chosen)]


def test_none_chosen_none_made():
    assert default_rules(()) == ()


@pytest.mark.parametrize(("drop", "alert"), PAIRS)
def test_a_drop_without_its_twin_is_silent_and_has_its_own_name(drop, alert):
    for action, silent, chosen, name in (
        (Action.DROP, True, (drop,), drop),
        (Action.ALERT, False, (alert,), alert),
        (Action.DROP, False, (drop, alert), alert),
    ):
        sids = [2] if drop is D.DROP_STRICT else [4, 2]
        assert said(*chosen) == [(action, f"aws:{name.value} action", sid, silent) for sid in sids]


@pytest.mark.parametrize(
    ("default", "reason", "direction"),
    [
        (D.DROP_ESTABLISHED, Reason.DEFAULT_DROP_ESTABLISHED, FlowDirection.TO_SERVER),
        (D.DROP_ESTABLISHED_APP_LAYER, Reason.DEFAULT_DROP_APP_LAYER, None),
        (D.DROP_ESTABLISHED_APP_LAYER_TO_SERVER, Reason.DEFAULT_DROP_APP_LAYER_TO_SERVER, FlowDirection.TO_SERVER),
    ],
)
def test_tcp_waits_for_an_established_connection_and_the_rest_does_not(default, reason, direction):
    tcp, others = default_rules((default,))
    assert tcp.reason is others.reason is reason
    assert (tcp.rule.protocols, tcp.rule.flow.established, tcp.rule.flow.direction) == ({6}, True, direction)
    assert others.rule.flow is None
    assert others.rule.protocols == set(range(256)) - {6}


def test_strict_covers_everything():
    (strict,) = default_rules((D.DROP_STRICT,))
    assert (strict.rule.protocols, strict.rule.flow, strict.reason) == (None, None, Reason.DEFAULT_DROP_STRICT)


@pytest.mark.parametrize("chosen", [*chain.from_iterable(combinations(D, count) for count in (1, 2, 3))])
def test_drops_stand_before_alerts_and_all_are_marked_as_nobody_s_writing(chosen):
    rules = [each.rule for each in default_rules(chosen)]
    actions = [rule.action for rule in rules]
    assert actions == sorted(actions, key=[Action.DROP, Action.ALERT].index)
    assert all(rule.synthetic and rule.type is RuleType.PACKET and str(rule.span) == "default action:1:1" for rule in rules)
    assert all(rule.source.is_any and rule.destination.is_any and rule.source_ports.is_any for rule in rules)
