"""The section `nat` of a policy file: which addresses a gateway translates.

Stateful rules see the addresses of the inside: a packet's own before its source is translated, the inner server's after a port
was forwarded.  An address becomes one of the same IP version; NAT64 is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from ipaddress import ip_address
from typing import TypeVar

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Attach, Mode, Nat, PortForward, SourceNat
from twinwall.policy.sets import ANY_ADDRESS, AddressSet
from twinwall.rules.addresses import V4_ONLY, V6_ONLY
from twinwall.rules.attach import interface_name
from twinwall.rules.document import Mapping, Node, Scalar, Sequence
from twinwall.rules.endpoints import Address, Target, read_address, read_ports, read_target
from twinwall.rules.values import Values
from twinwall.rules.variables import Variables

T = TypeVar("T", SourceNat, PortForward)

NAT64 = "translation between IPv6 and IPv4 (NAT64) is not built in"
NAT64_HINT = "run a translator beside twinwall, such as Jool or tayga, and let twinwall filter what passes it"


class Transport(StrEnum):
    """Protocols whose ports can be forwarded."""

    TCP = "tcp"
    UDP = "udp"


NUMBERS = {Transport.TCP: 6, Transport.UDP: 17}  # IANA; path.layout has them too, and needs NumPy


def read_nat(values: Values, variables: Variables, node: Node, attach: Attach | None) -> Nat:
    """What the section says; every mistake is reported to `values`, those of variables to `variables`."""
    if isinstance(node, Scalar) and node.null:
        return Nat()
    if attach is None or attach.mode is not Mode.GATEWAY:
        why = "no `attach` says where" if attach is None else f"the policy is attached with `mode: {attach.mode}`"
        hint = "add `attach: {mode: gateway, outside: [wan0]}`, or leave `nat` out"
        values.report(Code.NAT_MODE, f"addresses are translated on a gateway only, and {why}", node.span, hint)
        attach = None
    return _Reader(values, variables, attach).read(node)


class _Reader:
    """Reads one section.  Without `attach` no interface is looked for there."""

    def __init__(self, values: Values, variables: Variables, attach: Attach | None) -> None:
        self.values = values
        self.variables = variables
        self.attach = attach

    def read(self, node: Node) -> Nat:
        section = self.values.section(node, "nat", refused={"nat64": (NAT64, NAT64_HINT)})
        sources = [self._source(item) for item in _items(section.get("source"))]
        forwards = [self._forward(item) for item in _items(section.get("forward"))]
        return Nat(
            tuple(self._masquerade(section["masquerade"])) if "masquerade" in section else (),
            self._distinct([each for each in sources if each is not None], _source_clash),
            self._distinct([each for each in forwards if each is not None], _forward_clash),
        )

    def _masquerade(self, node: Node) -> Iterator[str]:
        seen: set[str] = set()
        for text in self.values.texts(node, "an interface's name"):
            name = interface_name(self.values, text)
            if name is None or not self._attached(name, text.span(0, len(text.text)), leaving=True):
                continue
            if name in seen:
                message = f"the interface `{name}` stands twice"
                self.values.report(Code.BAD_INTERFACE, message, text.span(0, len(text.text)), "name it once")
                continue
            seen.add(name)
            yield name

    def _source(self, node: Node) -> SourceNat | None:
        section = self.values.section(node, "nat.source")
        complete = self._complete(node, section, "nat.source", ("interface", "address"))
        interface = self._interface(section, leaving=True)
        address = self._address(section)
        source = self._addresses(section["source"]) if "source" in section else ANY_ADDRESS
        if not complete or interface is None or address is None or source is None:
            return None
        source &= V4_ONLY if address.version == 4 else V6_ONLY
        if source.is_empty:
            message = f"{NAT64}: the sources are not of the IP version of {address}"
            self.values.report(Code.NOT_BUILT_IN, message, section["address"].span, NAT64_HINT)
            return None
        return SourceNat(interface, source, str(address), node.span)

    def _forward(self, node: Node) -> PortForward | None:
        section = self.values.section(node, "nat.forward")
        complete = self._complete(node, section, "nat.forward", ("interface", "protocol", "ports", "to"))
        interface = self._interface(section, leaving=False)
        protocol = self.values.choice(section["protocol"], Transport) if "protocol" in section else None
        ports = read_ports(self.values, section["ports"]) if "ports" in section else None
        target = read_target(self.values, section["to"]) if "to" in section else None
        address = self._address(section)
        if not complete or interface is None or protocol is None or ports is None or target is None:
            return None
        if "address" in section and (address is None or not self._same_version(address, target, section["address"].span)):
            return None
        if target.port is not None and ports[0] != ports[1]:
            message = f"the ports {ports[0]}-{ports[1]} cannot all become port {target.port}"
            hint = f"write `to: {target.address}`: the ports then stay what they are"
            self.values.report(Code.NAT_CONFLICT, message, section["to"].span, hint)
            return None
        outer = None if address is None else str(address)
        return PortForward(interface, NUMBERS[protocol], ports, str(target.address), target.port, node.span, outer)

    def _complete(self, node: Node, section: dict[str, Node], name: str, keys: tuple[str, ...]) -> bool:
        missing = [key for key in keys if key not in section]
        if missing and isinstance(node, Mapping):
            message = f"`{name}` needs {', '.join(f'`{key}`' for key in missing)}"
            self.values.report(Code.MISSING_KEY, message, node.span)
        return not missing

    def _interface(self, section: dict[str, Node], *, leaving: bool) -> str | None:
        scalar = self.values.scalar(section["interface"], "an interface's name") if "interface" in section else None
        name = interface_name(self.values, scalar.text) if scalar is not None else None
        return name if scalar is not None and name is not None and self._attached(name, scalar.span, leaving=leaving) else None

    def _attached(self, name: str, span: Span, *, leaving: bool) -> bool:
        """Whether the policy is enforced on the interface; packets leave for the other side through outside ones only."""
        if self.attach is None:
            return True
        known = self.attach.outside if leaving else self.attach.interfaces
        if name in known:
            return True
        side = "the outside interfaces" if leaving else "the interfaces"
        hint = f"{side} of `attach` are {', '.join(known)}" if known else f"{side} of `attach` are none"
        self.values.report(Code.BAD_INTERFACE, f"nothing is translated at `{name}`", span, hint)
        return False

    def _addresses(self, node: Node) -> AddressSet | None:
        parts = tuple(self.values.texts(node, "an address or a list of them"))
        return self.variables.addresses_of(parts) if parts else None

    def _address(self, section: dict[str, Node]) -> Address | None:
        return read_address(self.values, section["address"]) if "address" in section else None

    def _same_version(self, address: Address, target: Target, span: Span) -> bool:
        if address.version == target.address.version:
            return True
        self.values.report(Code.NOT_BUILT_IN, f"{NAT64}: {address} cannot become {target.address}", span, NAT64_HINT)
        return False

    def _distinct(self, found: list[T], clash: Callable[[T, T], bool]) -> tuple[T, ...]:
        """All of them; those that an earlier one leaves nothing for, or that contradict it, are reported."""
        for at, later in enumerate(found):
            earlier = next((each for each in found[:at] if clash(each, later)), None)
            if earlier is not None:
                message = f"line {earlier.span.line} already says what these become"
                self.values.report(Code.NAT_CONFLICT, message, later.span, "the first that fits a packet holds")
        return tuple(found)


def _items(node: Node | None) -> tuple[Node, ...]:
    """The entries of a list; one mapping stands for a list of one."""
    if node is None or (isinstance(node, Scalar) and node.null):
        return ()
    return node.items if isinstance(node, Sequence) else (node,)


def _source_clash(earlier: SourceNat, later: SourceNat) -> bool:
    """Whether the earlier one takes every address of the later one."""
    return earlier.interface == later.interface and later.source & earlier.source == later.source & later.source


def _forward_clash(earlier: PortForward, later: PortForward) -> bool:
    """Whether a packet for the later one is taken by the earlier one."""
    if (earlier.interface, earlier.protocol) != (later.interface, later.protocol):
        return False
    if ip_address(earlier.to_address).version != ip_address(later.to_address).version:
        return False
    if earlier.address not in (None, later.address):
        return False
    return earlier.ports[0] <= later.ports[1] and later.ports[0] <= earlier.ports[1]
