"""The stateless stage in nftables, second part: rules, in the order of the policy, one line for each entry and IP version.

`rules4` and `rules6` judge packets that have a transport header, `bare4` and `bare6` those without.  A line ends in the
chain of its action; behind the last line the defaults decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from twinwall.compile.conditions import Accepted, accepted_values
from twinwall.compile.entries import Entry, entries_of
from twinwall.path.layout import ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE
from twinwall.path.reason import Reason
from twinwall.policy.model import Action, Condition, PacketField, Policy, StatelessStage
from twinwall.policy.sets import TOP_V4, TOP_V6, Intervals, PortSet
from twinwall.render.stateless_sound import FIRST, LATER, WHOLE, Chain, counter, is_piece

WITH_PORTS = frozenset({TCP, UDP, UDPLITE, SCTP})
ALL_PROTOCOLS = frozenset(range(256))
VERSIONS = (4, 6)


def rule_chains(policy: Policy, *, outgoing: bool = False) -> tuple[Chain, ...]:
    """`rules4`, `rules6`, `bare4`, `bare6`, and the defaults.  `outgoing`: packets have no incoming interface."""
    stage = policy.stateless
    entries = entries_of(stage.rules)
    chains = [Chain("defaults", tuple(_defaults(stage)))]
    for version in VERSIONS:
        for name, bare in (("rules", False), ("bare", True)):
            lines = (_line(each, version, policy.interfaces, bare=bare, outgoing=outgoing) for each in entries)
            chains.append(Chain(f"{name}{version}", (*(line for line in lines if line), "goto defaults")))
    return tuple(chains)


def _defaults(stage: StatelessStage) -> Iterator[str]:
    """No rule matched: what the stage says of fragments, and of everything else."""
    other = stage.fragments if stage.other_fragments is None else stage.other_fragments
    fragments = f"counter name {counter(Reason.STATELESS_FRAGMENT_DEFAULT)}"
    yield f"{is_piece(FIRST, LATER)} meta l4proto {UDP} {fragments} goto say_{stage.fragments.value}"
    yield f"{is_piece(FIRST, LATER)} {fragments} goto say_{other.value}"
    yield f"counter name {counter(Reason.STATELESS_DEFAULT)} goto say_{stage.default.value}"


def _line(entry: Entry, version: int, interfaces: Sequence[str], *, bare: bool, outgoing: bool) -> str:
    """One entry for one IP version; empty if no such packet can match it."""
    tests = _tests(entry, version, interfaces, bare=bare, outgoing=outgoing)
    if tests is None:
        return ""
    return " ".join((*tests, f'counter goto rule_{entry.rule.action.value} comment "sid {entry.rule.sid}"'))


def _tests(entry: Entry, version: int, interfaces: Sequence[str], *, bare: bool, outgoing: bool) -> list[str] | None:
    conditions = entry.rule.conditions
    parts = (
        _protocol(entry, bare=bare),
        _addresses("saddr", entry.source.v4 if version == 4 else entry.source.v6, version),
        _addresses("daddr", entry.destination.v4 if version == 4 else entry.destination.v6, version),
        _ports("@th,0,16", entry.source_ports),
        _ports("@th,16,16", entry.destination_ports),
        _byte("@th,104,8", conditions, PacketField.TCP_FLAGS),
        _byte("@th,0,8", conditions, PacketField.ICMP_TYPE),
        _byte("@th,8,8", conditions, PacketField.ICMP_CODE),
        _piece(conditions, bare=bare),
        _interface(conditions, interfaces, outgoing=outgoing),
    )
    if any(each is None for each in parts) or not accepted_values(conditions, PacketField.IP_VERSION, 7)[version]:
        return None
    return [each for each in parts if each]


# Each of these gives a test, an empty string if there is nothing to test, and None if no packet can pass.


def _protocol(entry: Entry, *, bare: bool) -> str | None:
    """The protocols that can have everything the entry asks for."""
    asked = {each.field for each in entry.rule.conditions}
    wanted = ALL_PROTOCOLS if entry.rule.protocols is None else entry.rule.protocols
    wanted &= frozenset(_true(accepted_values(entry.rule.conditions, PacketField.PROTOCOL, 256)))
    with_ports = not (entry.source_ports.is_any and entry.destination_ports.is_any)
    needs = (
        (with_ports, WITH_PORTS),
        (PacketField.TCP_FLAGS in asked, frozenset({TCP})),
        (bool(asked & {PacketField.ICMP_TYPE, PacketField.ICMP_CODE}), frozenset({ICMP, ICMP6})),
    )
    for needed, protocols in needs:
        if needed:
            wanted &= protocols
    if not wanted or (bare and any(needed for needed, _ in needs)):
        return None
    return "" if wanted == ALL_PROTOCOLS else f"meta l4proto {_set(map(str, sorted(wanted)))}"


def _addresses(field: str, intervals: Intervals, version: int) -> str | None:
    if not intervals:
        return None
    if intervals == ((0, TOP_V4 if version == 4 else TOP_V6),):
        return ""
    kind = IPv4Address if version == 4 else IPv6Address
    family = "ip" if version == 4 else "ip6"
    return f"{family} {field} {_set(str(kind(low)) if low == high else f'{kind(low)}-{kind(high)}' for low, high in intervals)}"


def _ports(field: str, ports: PortSet) -> str | None:
    if not ports.ranges:
        return None
    return "" if ports.is_any else f"{field} {_set(map(_range, ports.ranges))}"


def _byte(place: str, conditions: Iterable[Condition], field: PacketField) -> str | None:
    """A byte of the transport header; a packet that got here has the header, and the protocol that the field belongs to."""
    if all(each.field is not field for each in conditions):
        return ""
    runs = _runs(accepted_values(conditions, field, 256))
    if runs == [(0, 255)]:
        return ""
    return f"{place} {_set(map(_range, runs))}" if runs else None


def _piece(conditions: Iterable[Condition], *, bare: bool) -> str | None:
    accepted = _true(accepted_values(conditions, PacketField.FRAGMENT, LATER + 1))
    possible = [each for each in accepted if each != (WHOLE if bare else LATER)]
    if not possible:
        return None
    return "" if len(possible) == LATER else is_piece(*possible)


def _interface(conditions: Iterable[Condition], interfaces: Sequence[str], *, outgoing: bool) -> str | None:
    """The incoming interface; one that no rule names has number 0, and so does what the machine itself sends."""
    accepted = accepted_values(conditions, PacketField.INTERFACE, len(interfaces) + 1)
    if accepted.all():
        return ""
    if outgoing:
        return "" if accepted[0] else None
    if accepted[0]:
        return f"iifname != {_set(_quoted(interfaces, ~accepted))}"
    return f"iifname {_set(_quoted(interfaces, accepted))}" if accepted.any() else None


def _quoted(interfaces: Sequence[str], which: Accepted) -> Iterator[str]:
    return (f'"{interfaces[number - 1]}"' for number in _true(which))


def _true(accepted: Accepted) -> list[int]:
    return [int(each) for each in accepted.nonzero()[0]]


def _runs(accepted: Accepted) -> list[tuple[int, int]]:
    """The inclusive ranges of accepted values."""
    runs: list[tuple[int, int]] = []
    for value in _true(accepted):
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _range(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return str(low) if low == high else f"{low}-{high}"


def _set(items: Iterable[str]) -> str:
    return f"{{ {', '.join(items)} }}"


ACTIONS = (Action.PASS, Action.DROP, Action.FORWARD)
