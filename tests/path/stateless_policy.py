"""A stateless stage that asks for everything a stateless rule can ask for; for tests that compare targets."""

from ipaddress import ip_network

from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Action, Condition, PacketField, Rule, StatelessStage
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT, AddressSet, PortSet


def rule(
    sid: int, action: Action, protocols=None, src=None, dst=None, sports=None, dports=None, *conditions, both=False
) -> Rule:
    def addresses(text):
        return AddressSet.of(*[ip_network(each) for each in text.split()]) if text else ANY_ADDRESS

    return Rule(
        action=action,
        protocols=frozenset(protocols) if protocols else None,
        source=addresses(src),
        source_ports=PortSet(tuple(sports)) if sports else ANY_PORT,
        destination=addresses(dst),
        destination_ports=PortSet(tuple(dports)) if dports else ANY_PORT,
        sid=sid,
        span=Span("test", sid, 1),
        text=f"rule {sid}",
        bidirectional=both,
        conditions=conditions,
    )


def stage(fillers: int = 40) -> StatelessStage:
    """Some forty rules that hit, behind `fillers` narrow ones, so that several words of rules are scanned."""
    narrow = [
        rule(1000 + n, Action.DROP, [6], f"192.0.{n % 256}.0/28", None, None, [(n % 65536, n % 65536)]) for n in range(fillers)
    ]
    wide = [
        rule(1, Action.DROP, [6], None, None, None, None, Condition(PacketField.TCP_FLAGS, ((3, 3),), mask=0x3F)),
        rule(2, Action.DROP, [6], None, None, None, None, Condition(PacketField.TCP_FLAGS, ((0, 0),), mask=0xFF)),
        rule(3, Action.PASS, [6], "10.20.0.1/32", "198.51.100.0/24", None, [(443, 443), (8000, 9000)]),
        rule(4, Action.FORWARD, [6], "10.20.0.0/30", None, [(1024, 65535)], [(80, 80)], both=True),
        rule(5, Action.DROP, [17], "2001:db8:20::/48", None, None, [(53, 53)]),
        rule(6, Action.PASS, [1], None, None, None, None, Condition(PacketField.ICMP_TYPE, ((8, 8),))),
        rule(7, Action.DROP, [1], None, None, None, None,
             Condition(PacketField.ICMP_TYPE, ((3, 3),)), Condition(PacketField.ICMP_CODE, ((1, 1),))),
        rule(8, Action.DROP, [58], None, None, None, None, Condition(PacketField.ICMP_TYPE, ((128, 129),), negated=True)),
        rule(9, Action.DROP, None, None, None, None, None, Condition(PacketField.FRAGMENT, ((2, 2),)),
             Condition(PacketField.IP_VERSION, ((4, 4),))),
        rule(10, Action.PASS, [47, 50, 132], None, None),
        rule(11, Action.DROP, [6, 17], "fe80::/10 203.0.113.9/32", None),
        rule(12, Action.PASS, [17], None, "10.20.0.2/32 ::ffff:10.20.0.1/128", None, [(0, 0), (22, 22)]),
        rule(13, Action.DROP, [6], None, None, None, None,
             Condition(PacketField.INTERFACE, ((2, 2),)), Condition(PacketField.TCP_FLAGS, ((2, 2),), mask=0x12)),
    ]  # fmt: skip
    return StatelessStage(
        rules=tuple(narrow + wide), default=Action.FORWARD, fragments=Action.DROP, other_fragments=Action.PASS
    )
