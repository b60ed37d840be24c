"""What a policy is, once every name in it is resolved: two stages of rules, and the settings of the tracker.

Readers (`policy.file`, `formats.*`) build these values, `compile` turns them into tables, `analysis` reasons about them.
They are frozen, hashable where they are small, and say where in the user's files they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum

from twinwall.policy.diagnostic import Span
from twinwall.policy.sets import AddressSet, PortSet


class Action(StrEnum):
    """What a rule says.  `FORWARD` exists in the stateless stage only, `REJECT` and `ALERT` in the stateful one only."""

    PASS = "pass"
    DROP = "drop"
    REJECT = "reject"
    ALERT = "alert"
    FORWARD = "forward"


class Order(StrEnum):
    """How the stateful stage orders the rules that match one packet."""

    STRICT = "strict"  # as written
    ACTION = "action"  # pass, drop, reject, alert; inside one action by priority


class StatefulDefault(StrEnum):
    """What the stateful stage does with a packet that no rule decided (AWS Network Firewall's names, `aws:` removed)."""

    DROP_STRICT = "drop_strict"
    DROP_ESTABLISHED = "drop_established"
    DROP_ESTABLISHED_APP_LAYER = "drop_established_app_layer"
    DROP_ESTABLISHED_APP_LAYER_TO_SERVER = "drop_established_app_layer_to_server"
    ALERT_STRICT = "alert_strict"
    ALERT_ESTABLISHED = "alert_established"
    ALERT_ESTABLISHED_APP_LAYER = "alert_established_app_layer"
    ALERT_ESTABLISHED_APP_LAYER_TO_SERVER = "alert_established_app_layer_to_server"


class Exceptional(StrEnum):
    """What happens to a packet the tracker cannot place."""

    DROP = "drop"
    CONTINUE = "continue"
    REJECT = "reject"


class RuleType(StrEnum):
    """When a stateful rule is evaluated, and what its verdict covers (Suricata 7, `rules/rule-types`)."""

    IP_ONLY = "ip_only"  # the first packet of each direction; verdict for the flow
    LIKE_IP_ONLY = "like_ip_only"  # the same with a negated address: every packet; verdict for the flow
    PACKET = "packet"  # every packet; verdict for that packet


class PacketField(IntEnum):
    """What a `Condition` looks at.  A packet that does not have the field fails the condition, negated or not."""

    TCP_FLAGS = 1
    ICMP_TYPE = 2
    ICMP_CODE = 3
    ICMP_ID = 4
    ICMP_SEQ = 5
    TTL = 6  # TTL or hop limit
    TOS = 7
    PAYLOAD_LENGTH = 8  # bytes above the transport header, as the packet claims and Suricata counts (`path.residual`)
    PROTOCOL = 9  # the IP protocol number after the extension headers
    IP_OPTIONS = 10  # bits path.layout.IPOPT_*
    FRAG_BITS = 11  # path.layout.FRAG_MORE | FRAG_DONT | FRAG_RESERVED
    FRAG_OFFSET = 12  # in units of 8 bytes
    WINDOW = 13  # as in the header, unscaled
    SEQ = 14
    ACK = 15
    IP_ID = 16
    SAME_ADDRESS = 17  # 1 if source and destination address are equal, else 0
    FRAGMENT = 18  # 0: no fragment, 1: the first piece, 2: a later piece
    INTERFACE = 19  # index into Policy.interfaces, from 1; 0: unknown
    IP_VERSION = 20  # 4 or 6


@dataclass(frozen=True, slots=True)
class Condition:
    """`(field & mask)` lies in one of the inclusive `ranges` (or in none of them, if negated)."""

    field: PacketField
    ranges: tuple[tuple[int, int], ...]
    mask: int = 0xFFFFFFFF
    negated: bool = False


class FlowDirection(IntEnum):
    """The side a packet comes from, as rules say it: the client sent the first packet of the flow."""

    TO_SERVER = 0
    TO_CLIENT = 1


@dataclass(frozen=True, slots=True)
class FlowOption:
    """The `flow:` keyword.  None: the option does not say."""

    direction: FlowDirection | None = None
    established: bool | None = None  # False: not_established
    stateless: bool = False
    stream: bool | None = None  # True: only_stream, False: no_stream
    fragment: bool | None = None  # True: only_frag, False: no_frag


class FlowbitKind(StrEnum):
    """What a `flowbits:` keyword does; the first two are tests."""

    ISSET = "isset"
    ISNOTSET = "isnotset"
    SET = "set"
    UNSET = "unset"
    TOGGLE = "toggle"


@dataclass(frozen=True, slots=True)
class FlowbitOption:
    """One `flowbits:` keyword; several names are alternatives (`a|b`, tests only; `isnotset,a|b`: one of them is not set)."""

    kind: FlowbitKind
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of either stage, with variables resolved.

    `protocols` None means any IP protocol.  `type` is what the stateful stage makes of it.  `text` is the rule as written
    (or as a vendor's form translates), `group` the rule group it came from (a file, an ARN's name; empty: the policy).
    """

    action: Action
    protocols: frozenset[int] | None
    source: AddressSet
    source_ports: PortSet
    destination: AddressSet
    destination_ports: PortSet
    sid: int
    span: Span
    text: str
    bidirectional: bool = False
    conditions: tuple[Condition, ...] = ()
    flow: FlowOption | None = None
    flowbits: tuple[FlowbitOption, ...] = ()
    type: RuleType = RuleType.IP_ONLY
    message: str = ""
    rev: int = 0
    gid: int = 1
    classtype: str = ""
    category: str = ""  # the classtype's description
    priority: int = 3
    references: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    noalert: bool = False
    alert: bool = False  # the `alert` keyword: a pass rule that reports
    group: str = ""
    metrics: tuple[str, ...] = ()  # custom actions: counters to increase (AWS PublishMetric dimension values)
    inspect: bool = False  # the `inspect` keyword: in the kernel, the inspector decides what the header matches
    synthetic: bool = False  # implied by the vendor or by a default action, not written by the user


@dataclass(frozen=True, slots=True)
class StatelessStage:
    """The stage that judges each packet alone; rules in order, the first match decides."""

    rules: tuple[Rule, ...] = ()
    default: Action = Action.FORWARD
    fragments: Action = Action.FORWARD  # a fragment that no rule matched
    other_fragments: Action | None = None  # the same for fragments of anything but UDP, where a vendor treats them apart
    default_metrics: tuple[str, ...] = ()
    fragment_metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatefulStage:
    """The stage that follows connections; `rules` stand in the order in which they are evaluated."""

    rules: tuple[Rule, ...] = ()
    order: Order = Order.ACTION
    default: tuple[StatefulDefault, ...] = ()
    midstream: Exceptional = Exceptional.DROP  # a TCP connection whose start was not seen
    invalid: Exceptional = Exceptional.DROP  # what the tracker calls INVALID


class Overlap(StrEnum):
    """Which byte wins where fragments of a datagram overlap; `DISCARD` drops the whole datagram, as Linux does."""

    DISCARD = "discard"
    FIRST = "first"
    LAST = "last"
    BSD = "bsd"
    BSD_RIGHT = "bsd-right"
    LINUX = "linux"
    WINDOWS = "windows"
    SOLARIS = "solaris"


class Timeout(Enum):
    """Every timeout: its name in a policy's `timeouts`, and Linux's default in seconds."""

    TCP_SYN_SENT = ("tcp_syn_sent", 120)
    TCP_SYN_RECV = ("tcp_syn_recv", 60)
    TCP_ESTABLISHED = ("tcp_established", 432000)
    TCP_FIN_WAIT = ("tcp_fin_wait", 120)
    TCP_CLOSE_WAIT = ("tcp_close_wait", 60)
    TCP_LAST_ACK = ("tcp_last_ack", 30)
    TCP_TIME_WAIT = ("tcp_time_wait", 120)
    TCP_CLOSE = ("tcp_close", 10)
    TCP_SYN_SENT2 = ("tcp_syn_sent2", 120)
    TCP_MAX_RETRANS = ("tcp_max_retrans", 300)
    TCP_UNACKNOWLEDGED = ("tcp_unacknowledged", 300)
    UDP = ("udp", 30)
    UDP_STREAM = ("udp_stream", 120)
    UDPLITE = ("udplite", 30)
    UDPLITE_STREAM = ("udplite_stream", 120)
    ICMP = ("icmp", 30)
    ICMPV6 = ("icmpv6", 30)
    SCTP_CLOSED = ("sctp_closed", 10)
    SCTP_COOKIE_WAIT = ("sctp_cookie_wait", 3)
    SCTP_COOKIE_ECHOED = ("sctp_cookie_echoed", 3)
    SCTP_ESTABLISHED = ("sctp_established", 210)
    SCTP_SHUTDOWN_SENT = ("sctp_shutdown_sent", 3)
    SCTP_SHUTDOWN_RECD = ("sctp_shutdown_recd", 3)
    SCTP_SHUTDOWN_ACK_SENT = ("sctp_shutdown_ack_sent", 3)
    SCTP_HEARTBEAT_SENT = ("sctp_heartbeat_sent", 30)
    GRE = ("gre", 30)
    GRE_STREAM = ("gre_stream", 180)
    GENERIC = ("generic", 600)
    FRAGMENT_V4 = ("fragment_v4", 30)
    FRAGMENT_V6 = ("fragment_v6", 60)


# A timeout that the policy does not give is the one that it does give for this: Linux has one setting for both.
FOLLOWED = {Timeout.UDPLITE: Timeout.UDP, Timeout.UDPLITE_STREAM: Timeout.UDP_STREAM}


class Flows(StrEnum):
    """Which flows the rules know.

    `RULES`: every flow of which a packet was seen, as Suricata does.  `LINUX`: those that have an entry in Linux's connection
    table, which is what the kernel can enforce: a flow whose first packet was dropped is forgotten with it, a packet that the
    tracker calls INVALID belongs to no flow, and a TCP packet that the tracker refuses is `invalid`, never `midstream`.
    """

    RULES = "rules"
    LINUX = "linux"


@dataclass(frozen=True, slots=True)
class Tracking:
    """Settings of the connection tracker, named after Linux's sysctls (`net.netfilter.nf_conntrack_*`)."""

    timeouts: tuple[tuple[Timeout, float], ...] = ()  # overrides, in seconds
    tcp_loose: bool = True
    tcp_be_liberal: bool = False
    tcp_ignore_invalid_rst: bool = False
    tcp_max_retrans: int = 3
    connections: int = 262_144  # the bound of the table
    overlap: Overlap = Overlap.DISCARD
    datagrams: int = 256  # how many datagrams may be under reassembly
    flows: Flows | None = None  # None: as `Policy.flows` says

    def seconds(self, timeout: Timeout) -> float:
        """How long an entry lives in the state that `timeout` names."""
        said = next((value for name, value in reversed(self.timeouts) if name is timeout), None)
        if said is not None:
            return said
        return self.seconds(FOLLOWED[timeout]) if timeout in FOLLOWED else timeout.value[1]


class Mode(StrEnum):
    """Where `apply` puts the policy."""

    GATEWAY = "gateway"
    HOST = "host"
    BRIDGE = "bridge"


class InspectionFailure(StrEnum):
    """What happens to packets that wait for the inspector when it has died or does not keep up."""

    DROP = "drop"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class Attach:
    """Where and how the policy is enforced."""

    mode: Mode = Mode.GATEWAY
    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    on_inspection_failure: InspectionFailure = InspectionFailure.DROP
    log_group: int = 1776  # the NFLOG group of what rules report
    queues: tuple[int, int] = (1776, 1776)  # the first and the last NFQUEUE number for inspection

    @property
    def interfaces(self) -> tuple[str, ...]:
        """All interfaces, each once."""
        return tuple(dict.fromkeys(self.inside + self.outside))


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Connections from `source` that leave through `interface` get `address` (an IP address) as their source."""

    interface: str
    source: AddressSet
    address: str
    span: Span


@dataclass(frozen=True, slots=True)
class PortForward:
    """Connections that come in through `interface` to `ports` of the machine itself (or `address`) go to `to_address`."""

    interface: str
    protocol: int  # TCP or UDP
    ports: tuple[int, int]  # inclusive
    to_address: str
    to_port: int | None  # None: the same port
    span: Span
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Nat:
    """Address translation on a gateway.  Rules see inside addresses: before source NAT, after port forwarding."""

    masquerade: tuple[str, ...] = ()  # interfaces whose own address everything that leaves through them gets
    source: tuple[SourceNat, ...] = ()
    forward: tuple[PortForward, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.  `name` and `origin` are for people: what to call it, and for vendor formats the vendor's identifier."""

    stateless: StatelessStage = field(default_factory=StatelessStage)
    stateful: StatefulStage = field(default_factory=StatefulStage)
    tracking: Tracking = field(default_factory=Tracking)
    attach: Attach | None = None
    interfaces: tuple[str, ...] = ()  # names that rules use; PacketField.INTERFACE counts them from 1
    flowbits: tuple[str, ...] = ()  # names that rules use, in order of appearance
    name: str = ""
    origin: str = ""
    nat: Nat = field(default_factory=Nat)

    @property
    def flows(self) -> Flows:
        """Which flows the rules know: what the policy says, else Linux's where the policy says where Linux enforces it."""
        if self.tracking.flows is not None:
            return self.tracking.flows
        return Flows.RULES if self.attach is None else Flows.LINUX
