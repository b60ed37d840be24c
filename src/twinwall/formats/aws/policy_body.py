"""The `FirewallPolicy` body: settings of both engines, and the checks across its members."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.formats.aws.actions import StatelessActions, read_actions, read_custom_actions
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value
from twinwall.policy.model import Action, Exceptional, Order, StatefulDefault, Timeout

ORDERS = {"DEFAULT_ACTION_ORDER": Order.ACTION, "STRICT_ORDER": Order.STRICT}
EXCEPTIONS = {"DROP": Exceptional.DROP, "CONTINUE": Exceptional.CONTINUE, "REJECT": Exceptional.REJECT}
DEFAULTS = {f"aws:{default.value}": default for default in StatefulDefault}
UDP_SECONDS = 120.0  # fixed by the service
IDLE_SECONDS = 350
LONGEST_TCP = (Timeout.TCP_ESTABLISHED, Timeout.TCP_MAX_RETRANS, Timeout.TCP_UNACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Engine:
    """`StatefulEngineOptions` and the default actions."""

    order: Order
    midstream: Exceptional
    idle: int
    defaults: tuple[StatefulDefault, ...]


@dataclass(frozen=True, slots=True)
class StatelessSettings:
    """What a packet, or a UDP fragment, gets that no stateless rule matched."""

    default: StatelessActions
    fragments: StatelessActions


def read_stateless_settings(policy: Value, findings: Findings) -> StatelessSettings:
    """The stateless defaults; after a diagnostic, drop."""
    custom = read_custom_actions(policy, "StatelessCustomActions", findings)
    default = read_actions(policy, "StatelessDefaultActions", custom, findings)
    fragments = read_actions(policy, "StatelessFragmentDefaultActions", custom, findings)
    nothing = StatelessActions(Action.DROP)
    return StatelessSettings(default or nothing, fragments or nothing)


def read_engine(policy: Value, findings: Findings) -> Engine:
    """The stateful engine's settings; an absent one has the service's default."""
    options = findings.struct(policy, "StatefulEngineOptions")
    order, midstream, idle = "DEFAULT_ACTION_ORDER", "DROP", IDLE_SECONDS
    if options is not None:
        order = findings.word(options, "RuleOrder", tuple(ORDERS)) or order
        midstream = findings.word(options, "StreamExceptionPolicy", tuple(EXCEPTIONS)) or midstream
        timeouts = findings.struct(options, "FlowTimeouts")
        value = findings.member(timeouts, "TcpIdleTimeoutSeconds") if timeouts else None
        idle = findings.integer(value, "TcpIdleTimeoutSeconds", 60, 6000, Code.IDLE_TIMEOUT) or idle
    defaults = _defaults(policy, ORDERS[order], findings)
    _check_inspection(policy, defaults, findings)
    return Engine(ORDERS[order], EXCEPTIONS[midstream], idle, defaults)


def _defaults(policy: Value, order: Order, findings: Findings) -> tuple[StatefulDefault, ...]:
    holder = findings.member(policy, "StatefulDefaultActions")
    named = [DEFAULTS[name] for name, _ in findings.words(policy, "StatefulDefaultActions", tuple(DEFAULTS))]
    if holder is None or not named:
        return ()
    if order is not Order.STRICT:
        findings.add(Code.DEFAULT_NOT_STRICT, holder, "the policy has StatefulDefaultActions but is not strict")
    drops = sorted({default.value for default in named if default.value.startswith("drop")})
    if len(drops) > 1:
        findings.add(Code.DEFAULT_DROPS, holder, f"several drop actions: {', '.join(drops)}")
    plain = [default for default in named if default.value.endswith("_established")]
    layered = [default for default in named if "_app_layer" in default.value]
    if plain and layered:
        findings.add(Code.DEFAULT_FAMILIES, holder, f"{plain[0].value} stands beside {layered[0].value}")
    return tuple(dict.fromkeys(named))


def _check_inspection(policy: Value, defaults: tuple[StatefulDefault, ...], findings: Findings) -> None:
    """Members with a meaning that an offline policy cannot have; each is named."""
    inspection = findings.member(policy, "TLSInspectionConfigurationArn")
    if inspection is not None:
        findings.unsupported(Code.TLS_INSPECTION, inspection, "TLS inspection is not emulated: nothing is decrypted")
    holding = findings.member(policy, "EnableTLSSessionHolding")
    if holding is not None and findings.typed(holding, bool, "EnableTLSSessionHolding") and holding.content:
        findings.unsupported(Code.SESSION_HOLDING, holding, "TLS session holding is not emulated")
        layered = any("_app_layer" in default.value for default in defaults)
        if inspection is None or layered:
            cause = "with an application-layer default action" if layered else "without TLSInspectionConfigurationArn"
            findings.add(Code.HOLDING_WITHOUT_TLS, holding, f"EnableTLSSessionHolding {cause}")
    resolved = findings.member(policy, "Route53ResolvedIPValidation")
    if resolved is not None:
        findings.unsupported(
            Code.RESOLVED_IP, resolved, "Route53ResolvedIPValidation is not supported: it needs the resolver's answers"
        )


def timeouts(idle: int) -> tuple[tuple[Timeout, float], ...]:
    """The tracker's timeouts: no TCP connection outlives `idle` seconds of silence, no UDP flow 120."""
    chosen: list[tuple[Timeout, float]] = []
    for timeout in Timeout:
        name, usual = timeout.value
        if timeout in LONGEST_TCP or (name.startswith("tcp_") and usual > idle):
            chosen.append((timeout, float(idle)))
    return (*chosen, (Timeout.UDP, UDP_SECONDS), (Timeout.UDP_STREAM, UDP_SECONDS))
