"""The policy's `nat` section as chains of `table inet twinwall`.

    prerouting  dstnat  port forwards, of what comes in through their interface
    output      dstnat  the same forwards for the machine's own connections to the forwarded address, where one is given
    postrouting srcnat  source addresses: `source` in the order written, then `masquerade`

Rules see inside addresses: destinations are translated before the forward hook, sources after it.  Only the first packet of a
connection meets these chains; Linux keeps the translation on the connection.  Nothing here passes or drops anything.

The stateless stage sees packets as they are on the wire, before any translation.

Hairpin fails closed: an inside host that connects to the gateway's outside address comes in through an inside interface, so no
forward takes the packet; it is for the gateway itself, and nothing is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from twinwall.path.layout import TCP
from twinwall.policy.model import Mode, Nat, Policy, PortForward, SourceNat
from twinwall.policy.sets import TOP_V4, TOP_V6, Intervals
from twinwall.render.unsupported import Unsupported

FAMILIES = {4: "ip", 6: "ip6"}
TOPS = {4: TOP_V4, 6: TOP_V6}
CHAIN = "\tchain {name} {{\n\t\ttype nat hook {hook} priority {priority}; policy accept;\n{rules}\t}}\n"


def render_nat(nat: Nat) -> str:
    """The chains; empty without a `nat` section."""
    chains = (
        ("nat_in", "prerouting", "dstnat", [_incoming(each) for each in nat.forward]),
        ("nat_own", "output", "-100", [_own(each) for each in nat.forward if each.address is not None]),
        ("nat_out", "postrouting", "srcnat", [*_sources(nat.source), *map(_masquerade, nat.masquerade)]),
    )
    return "".join(
        CHAIN.format(name=name, hook=hook, priority=priority, rules="".join(f"\t\t{rule}\n" for rule in rules))
        for name, hook, priority, rules in chains
        if rules
    )


def unsupported_nat(policy: Policy) -> Iterator[Unsupported]:
    """What of the section makes no sense where the policy is enforced, or between the two IP versions."""
    nat = policy.nat
    if nat == Nat():
        return
    if policy.attach is not None and policy.attach.mode is not Mode.GATEWAY:
        yield Unsupported(f"nat: a {policy.attach.mode.value} has no two sides to translate between", "write mode: gateway")
    for source in nat.source:
        if not _inside(source, ip_address(source.address).version):
            yield Unsupported(
                f"nat.source: no source address of the IP version of {source.address}",
                "NAT64 is not built in",
                span=source.span,
            )
    for forward in nat.forward:
        versions = {ip_address(each).version for each in (forward.address, forward.to_address) if each is not None}
        if len(versions) == 2:
            yield Unsupported(
                f"nat.forward: from {forward.address} to {forward.to_address}", "NAT64 is not built in", span=forward.span
            )


def _incoming(forward: PortForward) -> str:
    return f'iifname "{forward.interface}" {_wanted(forward)} {_target(forward)}'


def _own(forward: PortForward) -> str:
    """The machine's own connections do not come in through an interface; the address alone says which are meant."""
    return f"{_wanted(forward)} {_target(forward)}"


def _wanted(forward: PortForward) -> str:
    """Which packets: to the address, or to any that is the machine's own; to the ports."""
    version = ip_address(forward.to_address).version
    if forward.address is None:
        to = f"meta nfproto ipv{version} fib daddr type local"
    else:
        to = f"{FAMILIES[version]} daddr {forward.address}"
    protocol = "tcp" if forward.protocol == TCP else "udp"
    return f"{to} {protocol} dport {_range(forward.ports, str)}"


def _target(forward: PortForward) -> str:
    address = ip_address(forward.to_address)
    to = f"[{address}]" if address.version == 6 and forward.to_port is not None else str(address)
    port = "" if forward.to_port is None else f":{forward.to_port}"
    return f'counter dnat {FAMILIES[address.version]} to {to}{port} comment "nat.forward, line {forward.span.line}"'


def _sources(sources: Iterable[SourceNat]) -> Iterator[str]:
    for source in sources:
        address = ip_address(source.address)
        family = FAMILIES[address.version]
        where = _set(_inside(source, address.version), address.version)
        match = f"meta nfproto ipv{address.version}" if not where else f"{family} saddr {where}"
        translation = f'counter snat {family} to {address} comment "nat.source, line {source.span.line}"'
        yield f'oifname "{source.interface}" {match} {translation}'


def _masquerade(interface: str) -> str:
    return f'oifname "{interface}" counter masquerade comment "nat.masquerade"'


def _inside(source: SourceNat, version: int) -> Intervals:
    return source.source.v4 if version == 4 else source.source.v6


def _set(intervals: Intervals, version: int) -> str:
    """An anonymous set of addresses; empty if it holds all of them."""
    if intervals == ((0, TOPS[version]),):
        return ""
    kind = IPv4Address if version == 4 else IPv6Address
    return f"{{ {', '.join(_range(each, lambda value: str(kind(value))) for each in intervals)} }}"


def _range(bounds: tuple[int, int], write: Callable[[int], str]) -> str:
    low, high = bounds
    return write(low) if low == high else f"{write(low)}-{write(high)}"
