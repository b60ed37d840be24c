"""Why: the stable vocabulary of every verdict.  Each packet ends in exactly one of these, and a test reaches each.

The number is what the packet path stores; the name in lower case is what reports, columns and explanations print.
"""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What happens to a packet."""

    PASS = 0
    DROP = 1
    REJECT = 2


class StageName(IntEnum):
    """Which engine decided."""

    STATELESS = 0
    STATEFUL = 1


class CtState(IntEnum):
    """The tracker's label, as Linux says it (`ct state`); NONE: the packet never reached the tracker."""

    NONE = 0
    NEW = 1
    ESTABLISHED = 2
    RELATED = 3
    INVALID = 4
    UNTRACKED = 5


class Direction(IntEnum):
    """The side of a connection a packet belongs to; NONE: it belongs to no connection."""

    ORIGINAL = 0
    REPLY = 1
    NONE = 2


class Reason(IntEnum):
    """Why a packet got its verdict; `explanation` says it in a sentence."""

    # Nothing to judge.
    NOT_IP = 1, "the frame does not carry IP; a firewall of IP packets lets it through"
    # Malformed: found while decoding; dropped.
    TRUNCATED_LINK = 10, "the frame ends inside its link header"
    UNSUPPORTED_LINK = (
        11,
        "the capture's link type is not one that twinwall reads; the frame was not judged and is dropped",
    )
    TRUNCATED_IP = 12, "the frame ends inside the IP header"
    BAD_IP_VERSION = 13, "the version in the IP header does not fit the link's protocol"
    BAD_IP_HEADER_LENGTH = 14, "the IPv4 header length is below 20 bytes or beyond the packet"
    BAD_IP_TOTAL_LENGTH = 15, "the IP length field is shorter than the header or longer than the frame"
    TRUNCATED_EXTENSION = 16, "the packet ends inside the IPv6 extension headers"
    TOO_MANY_EXTENSIONS = 17, "more IPv6 extension headers, or longer ones, than a firewall follows"
    BAD_FRAGMENT = 18, "a fragment reaches beyond 65,535 bytes, or is not last and not a multiple of 8 bytes"
    TRUNCATED_TRANSPORT = 19, "the packet ends inside the transport header"
    BAD_TCP_HEADER_LENGTH = 20, "the TCP header length is below 20 bytes or beyond the packet"
    BAD_UDP_LENGTH = 21, "the UDP length is below 8 bytes or beyond the packet"
    SNAPPED = 22, "the capture's snap length cut a header that a verdict needs"
    BAD_IP_CHECKSUM = 23, "the IPv4 header checksum is wrong (checked with --checksums)"
    BAD_TRANSPORT_CHECKSUM = 24, "the transport checksum is wrong (checked with --checksums)"
    TOO_MANY_TAGS = 25, "more stacked VLAN tags than a firewall looks behind; what they carry could not be judged"
    # Stateless stage.
    STATELESS_RULE = 40, "a stateless rule decided"
    STATELESS_DEFAULT = 41, "no stateless rule matched; the stateless default decided"
    STATELESS_FRAGMENT_DEFAULT = 42, "a fragment that no stateless rule matched; the fragment default decided"
    # Defragmentation.
    FRAGMENT_INCOMPLETE = 50, "the datagram's other fragments never came"
    FRAGMENT_OVERLAP = 51, "fragments of the datagram overlap; the whole datagram is discarded"
    FRAGMENT_LIMIT = 52, "more datagrams under reassembly, or more pieces of one, than there is room for"
    FRAGMENT_DUPLICATE = 53, "the same piece of the datagram came before"
    # Tracking.
    INVALID = 60, "the tracker cannot place the packet (INVALID) and the policy drops such packets"
    MIDSTREAM = 61, "a TCP connection whose start was not seen, and the policy's midstream setting refuses it"
    TABLE_FULL = 62, "the connection table is full and nothing in it could be evicted"
    # Stateful rules.
    RULE = 70, "a stateful rule decided this packet"
    RULE_FLOW = 71, "a stateful rule decided this packet and, with it, its flow"
    FLOW_PASS = 72, "an earlier packet's rule passed the whole flow"
    FLOW_DROP = 73, "an earlier packet's rule dropped the whole flow"
    DEFAULT_DROP_STRICT = 74, "no rule decided; drop_strict drops every such packet"
    DEFAULT_DROP_ESTABLISHED = 75, "no rule decided; drop_established drops such packets of an established connection"
    DEFAULT_DROP_APP_LAYER = 76, "no rule decided; drop_established_app_layer drops such packets in both directions"
    DEFAULT_DROP_APP_LAYER_TO_SERVER = (
        77,
        "no rule decided; drop_established_app_layer_to_server drops such packets to the server",
    )
    NO_RULE = 78, "no stateful rule decided and no default action applies: the packet passes"

    explanation: str

    def __new__(cls, number: int, explanation: str) -> Reason:
        member = int.__new__(cls, number)
        member._value_ = number
        member.explanation = explanation
        return member
