"""The decoded packet: one record of 16 words (128 bytes), the same bytes in NumPy, in native code and in eBPF.

`RECORD` names the fields; the packet path composes whole words and stores each once, and `WORD`/shift constants below say
where a field lies in its word.  Everything is little-endian, so NumPy reads the fields in place.  IPv4 addresses stand in the
low word of the pair, with the high word zero; `version` tells the families apart.
"""

from __future__ import annotations

import numpy as np

RECORD_WORDS = 16
RECORD_BYTES = 128

# Words of a record.
W_SRC_HI, W_SRC_LO, W_DST_HI, W_DST_LO = 0, 1, 2, 3
W_KEY = 4  # sport:16 dport:16 proto:8 version:8 tcp_flags:8 tcp_reserved:8
W_PLACE = 5  # l3:16 l4:16 payload:16 payload_length:16, offsets in bytes from the start of the frame
W_SEQ = 6  # seq:32 ack:32
W_HEADER = 7  # window:16 ttl:8 tos:8 icmp_type:8 icmp_code:8 frag:16
W_LENGTH = 8  # ip_id:32 ip_length:32 (IP header and payload, as the packet claims)
W_STATUS = 9  # reason:8 marks:8 ipopts:16 vlan_count:8 link:8 vlan:16
W_ICMP = 10  # icmp_id:16 icmp_seq:16 wscale:8 tcp_options:8 mss:16
W_SACK = 11  # sack:32 (highest right edge) inner:16 (offset of a tunnelled or quoted IP header) inner_kind:8 interface:8
W_FRAME = 12  # wire_length:32 captured_length:32
W_SCTP = 13  # vtag:32 chunks:32 (bit n: a chunk of type n is present; bit 31: a type above 30) ; GRE: key in vtag
W_LINK = 14  # ethertype:16 extensions:16 (IPv6 extension headers seen, one bit each) spare:32
W_SCRATCH = 15

RECORD = np.dtype(
    {
        "names": [
            "src_hi", "src_lo", "dst_hi", "dst_lo",
            "sport", "dport", "proto", "version", "tcp_flags", "tcp_reserved",
            "l3", "l4", "payload", "payload_length",
            "seq", "ack",
            "window", "ttl", "tos", "icmp_type", "icmp_code", "frag",
            "ip_id", "ip_length",
            "reason", "marks", "ipopts", "vlan_count", "link", "vlan",
            "icmp_id", "icmp_seq", "wscale", "tcp_options", "mss",
            "sack", "inner", "inner_kind", "interface",
            "wire_length", "captured_length",
            "vtag", "chunks",
            "ethertype", "extensions",
        ],
        "formats": [
            "u8", "u8", "u8", "u8",
            "u2", "u2", "u1", "u1", "u1", "u1",
            "u2", "u2", "u2", "u2",
            "u4", "u4",
            "u2", "u1", "u1", "u1", "u1", "u2",
            "u4", "u4",
            "u1", "u1", "u2", "u1", "u1", "u2",
            "u2", "u2", "u1", "u1", "u2",
            "u4", "u2", "u1", "u1",
            "u4", "u4",
            "u4", "u4",
            "u2", "u2",
        ],
        "offsets": [
            0, 8, 16, 24,
            32, 34, 36, 37, 38, 39,
            40, 42, 44, 46,
            48, 52,
            56, 58, 59, 60, 61, 62,
            64, 68,
            72, 73, 74, 76, 77, 78,
            80, 82, 84, 85, 86,
            88, 92, 94, 95,
            96, 100,
            104, 108,
            112, 114,
        ],
        "itemsize": RECORD_BYTES,
    }
)  # fmt: skip

# `marks`
MARK_FRAGMENT = 1  # any piece of a fragmented datagram
MARK_LATER_FRAGMENT = 2  # not the first piece: no transport header here
MARK_PORTS = 4  # sport and dport were read from the packet (TCP, UDP, UDP-Lite, SCTP)
MARK_TRANSPORT = 8  # the transport header was decoded
MARK_SNAPPED = 16  # the capture cut the frame: captured_length < wire_length
MARK_REASSEMBLED = 32  # a whole datagram put together from fragments
MARK_IP = 64  # the frame carries IP
MARK_QUOTE = 128  # an ICMP error: `inner` is the offset of the quoted IP header

# `frag`: the IPv4 flags-and-offset field as it stands in the header (IPv6: the same bits built from the fragment header)
FRAG_OFFSET = 0x1FFF  # in units of 8 bytes
FRAG_MORE = 0x2000
FRAG_DONT = 0x4000
FRAG_RESERVED = 0x8000

# `ipopts`: one bit for each IPv4 option that a rule can ask for
IPOPT_RR, IPOPT_EOL, IPOPT_NOP, IPOPT_TS, IPOPT_SEC, IPOPT_ESEC = 1, 2, 4, 8, 16, 32
IPOPT_LSRR, IPOPT_SSRR, IPOPT_SATID, IPOPT_OTHER = 64, 128, 256, 512

# `tcp_options`
TCPOPT_WSCALE, TCPOPT_SACK_OK, TCPOPT_MSS, TCPOPT_TIMESTAMP, TCPOPT_SACK, TCPOPT_BAD = 1, 2, 4, 8, 16, 32

# `inner_kind`
INNER_NONE, INNER_IPIP, INNER_6IN4, INNER_GRE, INNER_QUOTE = 0, 1, 2, 3, 4

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128

TCP, UDP, UDPLITE, ICMP, ICMP6, SCTP, GRE, ESP, AH, IPIP, IP6IN4 = 6, 17, 136, 1, 58, 132, 47, 50, 51, 4, 41

# `link`: how a frame begins.  Capture files translate their numbers into these.
LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2, LINK_NULL, LINK_LOOP, LINK_UNSUPPORTED = 0, 1, 2, 3, 4, 5, 6

# One frame of a batch: where it lies in the batch's buffer.
FRAME_BYTES = 32
FRAME = np.dtype(
    [
        ("offset", "u8"),  # of the first byte, in the batch's buffer
        ("timestamp", "u8"),  # nanoseconds since 1970
        ("captured_length", "u4"),
        ("wire_length", "u4"),
        ("link", "u1"),
        ("interface", "u1"),  # 0: none named
        ("source", "u2"),  # which of the run's files
        ("linktype", "u4"),  # the capture file's own number for `link`
    ]
)

# One packet's outcome.
DECISION_BYTES = 40
DECISION = np.dtype(
    [
        ("packet", "u8"),  # from 1, every frame counts
        ("timestamp", "u8"),  # nanoseconds since 1970
        ("flow_id", "u8"),  # 0: none
        ("rule", "u4"),  # index into the stage's compiled rules; NO_RULE: none
        ("length", "u4"),  # on the wire
        ("verdict", "u1"),
        ("stage", "u1"),
        ("reason", "u1"),
        ("ct_state", "u1"),
        ("direction", "u1"),
        ("established", "u1"),  # 0 no, 1 yes, 2 the question does not arise
        ("reject", "u1"),  # what a reject sends: engine.decision.RejectReply
        ("scope", "u1"),  # 0 this packet, 1 its flow
    ]
)
NO_RULE = 0xFFFFFFFF

# One rule match that is to be reported, with the flow's counters as they stood then, this packet included.
ALERT_BYTES = 64
ALERT = np.dtype(
    [
        ("packet", "u8"),
        ("flow_id", "u8"),
        ("rule", "u4"),  # index into the stateful stage's compiled rules
        ("blocked", "u1"),
        ("direction", "u1"),  # 0 to_server, 1 to_client
        ("spare", "u2"),
        ("o_packets", "u8"),  # the flow's counters; all 0 where flow_id is 0
        ("o_bytes", "u8"),
        ("r_packets", "u8"),
        ("r_bytes", "u8"),
        ("start", "u8"),  # the flow's first packet, nanoseconds since 1970
    ]
)
