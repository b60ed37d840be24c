"""Default actions of the stateful stage as synthetic rules at the end of the list.

Names, signature texts and sids are AWS Network Firewall's (observed logs; its exact rules are unpublished).  An action whose
alert twin is set too reports what it drops; without the twin it drops in silence.

What the `app_layer` variants do beyond the established test is to wait for a TLS hello or an HTTP request that comes in
pieces.  That needs application data, which the header rules do not see: here they judge every packet of an established
connection, in both directions (`drop_established_app_layer`) or towards the server (`…_to_server`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinwall.path.layout import TCP
from twinwall.path.reason import Reason
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Action, FlowDirection, FlowOption, Rule, RuleType, StatefulDefault
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT

SPAN = Span("default action", 1, 1)
SID_TCP, SID_OTHER = 4, 2


@dataclass(frozen=True, slots=True)
class _Default:
    """A drop action, its alert twin, why it drops, and which TCP packets it covers (None: all packets of all protocols)."""

    drop: StatefulDefault
    alert: StatefulDefault
    reason: Reason
    tcp: FlowOption | None


_TO_SERVER = FlowOption(direction=FlowDirection.TO_SERVER, established=True)
_DEFAULTS = (
    _Default(StatefulDefault.DROP_STRICT, StatefulDefault.ALERT_STRICT, Reason.DEFAULT_DROP_STRICT, None),
    _Default(StatefulDefault.DROP_ESTABLISHED, StatefulDefault.ALERT_ESTABLISHED, Reason.DEFAULT_DROP_ESTABLISHED, _TO_SERVER),
    _Default(
        StatefulDefault.DROP_ESTABLISHED_APP_LAYER,
        StatefulDefault.ALERT_ESTABLISHED_APP_LAYER,
        Reason.DEFAULT_DROP_APP_LAYER,
        FlowOption(established=True),
    ),
    _Default(
        StatefulDefault.DROP_ESTABLISHED_APP_LAYER_TO_SERVER,
        StatefulDefault.ALERT_ESTABLISHED_APP_LAYER_TO_SERVER,
        Reason.DEFAULT_DROP_APP_LAYER_TO_SERVER,
        _TO_SERVER,
    ),
)


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """A synthetic rule and the reason its drop is given."""

    rule: Rule
    reason: Reason


def default_rules(chosen: Sequence[StatefulDefault]) -> tuple[DefaultRule, ...]:
    """The rules that the chosen default actions stand for; those that drop come first."""
    found: list[DefaultRule] = []
    for default in _DEFAULTS:
        if default.drop in chosen or default.alert in chosen:
            found += _rules(default, chosen)
    return tuple(sorted(found, key=lambda each: each.rule.action is Action.ALERT))


def _rules(default: _Default, chosen: Sequence[StatefulDefault]) -> list[DefaultRule]:
    drops, alerts = default.drop in chosen, default.alert in chosen
    action = Action.DROP if drops else Action.ALERT
    name = default.alert.value if alerts else default.drop.value
    if default.tcp is None:
        return [DefaultRule(_rule(action, name, SID_OTHER, None, None, silent=not alerts), default.reason)]
    others = frozenset(range(256)) - {TCP}
    return [
        DefaultRule(_rule(action, name, SID_TCP, frozenset({TCP}), default.tcp, silent=not alerts), default.reason),
        DefaultRule(_rule(action, name, SID_OTHER, others, None, silent=not alerts), default.reason),
    ]


def _rule(
    action: Action, name: str, sid: int, protocols: frozenset[int] | None, flow: FlowOption | None, *, silent: bool
) -> Rule:
    message = f"aws:{name} action"
    return Rule(
        action=action,
        protocols=protocols,
        source=ANY_ADDRESS,
        source_ports=ANY_PORT,
        destination=ANY_ADDRESS,
        destination_ports=ANY_PORT,
        sid=sid,
        span=SPAN,
        text=message,
        flow=flow,
        type=RuleType.PACKET,
        message=message,
        noalert=silent,
        synthetic=True,
    )
