"""`MatchAttributes` of a stateless rule → sets of addresses, ports, protocols and TCP flag values."""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.formats.aws.addresses import parse_network
from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT, AddressSet, Intervals, PortSet, normalise

FLAGS = {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20, "ECE": 0x40, "CWR": 0x80}
ALL_FLAGS = 0xFF


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule asks.  `flag_values`: the values of the eight TCP flags that match; None: any."""

    source: AddressSet
    source_ports: PortSet
    destination: AddressSet
    destination_ports: PortSet
    protocols: frozenset[int] | None
    flag_values: Intervals | None
    words: str

    @property
    def has_ports(self) -> bool:
        """Whether the rule asks for ports."""
        return not (self.source_ports.is_any and self.destination_ports.is_any)


def read_match(attributes: Value, findings: Findings) -> Match | None:
    """Read all settings; None if any was diagnosed as an error."""
    before = findings.errors
    words: list[str] = []
    protocols = _protocols(attributes, findings, words)
    source = _addresses(attributes, "Sources", "from", findings, words)
    source_ports = _ports(attributes, "SourcePorts", findings, words)
    destination = _addresses(attributes, "Destinations", "to", findings, words)
    destination_ports = _ports(attributes, "DestinationPorts", findings, words)
    flags = _flags(attributes, findings, words)
    if findings.errors != before:
        return None
    return Match(source, source_ports, destination, destination_ports, protocols, flags, " ".join(words))


def _protocols(attributes: Value, findings: Findings, words: list[str]) -> frozenset[int] | None:
    numbers: set[int] = set()
    for item in findings.items(attributes, "Protocols", int):
        number = findings.integer(item, "a protocol", 0, 255, Code.PROTOCOL)
        if number is not None:
            numbers.add(number)
    words.append(f"protocol {','.join(map(str, sorted(numbers)))}" if numbers else "ip")
    return frozenset(numbers) or None


def _addresses(attributes: Value, name: str, preposition: str, findings: Findings, words: list[str]) -> AddressSet:
    texts: list[str] = []
    sets: list[AddressSet] = []
    for item in findings.items(attributes, name, dict):
        holder = findings.required(item, "AddressDefinition")
        if holder is None or not findings.typed(holder, str, "AddressDefinition"):
            continue
        text = str(holder.content)
        network = parse_network(text)
        if network is None:
            findings.add(Code.BAD_ADDRESS, holder, f"{text[:60]!r} is neither an address nor a CIDR")
            continue
        texts.append(text)
        sets.append(AddressSet.of(network))
    words.append(f"{preposition} {','.join(texts) or 'any'}")
    if not sets:
        return ANY_ADDRESS
    return AddressSet(
        normalise(pair for each in sets for pair in each.v4), normalise(pair for each in sets for pair in each.v6)
    )


def _ports(attributes: Value, name: str, findings: Findings, words: list[str]) -> PortSet:
    ranges: list[tuple[int, int]] = []
    for item in findings.items(attributes, name, dict):
        low = findings.integer(findings.required(item, "FromPort"), "FromPort", 0, 65535, Code.PORT_RANGE)
        high = findings.integer(findings.required(item, "ToPort"), "ToPort", 0, 65535, Code.PORT_RANGE)
        if low is None or high is None:
            continue
        if low > high:
            findings.add(Code.PORT_RANGE, item, f"FromPort {low} is above ToPort {high}")
            continue
        ranges.append((low, high))
    if not ranges:
        return ANY_PORT
    words.append(f"port {','.join(str(low) if low == high else f'{low}-{high}' for low, high in ranges)}")
    return PortSet(normalise(ranges))


def _flags(attributes: Value, findings: Findings, words: list[str]) -> Intervals | None:
    """The matching values of the flag byte; several entries are alternatives; no Masks means that all eight are looked at."""
    values: set[int] = set()
    asked = False
    for item in findings.items(attributes, "TCPFlags", dict):
        asked = True
        flags = [name for name, _ in findings.words(item, "Flags", tuple(FLAGS))]
        masks = [name for name, _ in findings.words(item, "Masks", tuple(FLAGS))]
        wanted = sum(FLAGS[name] for name in set(flags))
        mask = sum(FLAGS[name] for name in set(masks)) or ALL_FLAGS
        if wanted & ~mask:
            outside = ", ".join(sorted(set(flags) - set(masks)))
            findings.add(Code.FLAGS, item, f"{outside} is in Flags but not in Masks, so the rule can never match")
        values.update(value for value in range(256) if value & mask == wanted)
        words.append(f"flags {'+'.join(flags) or 'none'} of {'+'.join(masks) or 'all'}")
    return normalise((value, value) for value in values) if asked else None
