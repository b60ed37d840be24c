"""The rules of the comparison: every header keyword alone and in company, as alerts, and small policies that decide."""

from __future__ import annotations

from itertools import product

HEADERS = (
    "ip any any -> any any",
    "tcp any any -> any any",
    "udp any any -> any any",
    "icmp any any -> any any",
    "icmpv4 any any -> any any",
    "icmpv6 any any -> any any",
    "ip4 any any -> any any",
    "ip6 any any -> any any",
    "tcp-pkt any any -> any any",
    "tcp any any -> any 80",
    "tcp any 80 -> any any",
    "tcp any any <> any 80",
    "tcp any any -> any !80",
    "tcp any any -> any [80,443]",
    "tcp any any -> any [1:1023]",
    "tcp any any -> any 1024:",
    "tcp any :1023 -> any any",
    "tcp any any -> any [1:100,!80]",
    "tcp any any -> any $WEB",
    "tcp any any -> any !$WEB",
    "udp any any -> any 53",
    "udp any any <> any [53,5000]",
    "ip $HOME_NET any -> any any",
    "ip any any -> $HOME_NET any",
    "ip $HOME_NET any -> $EXTERNAL_NET any",
    "ip $EXTERNAL_NET any -> $HOME_NET any",
    "ip $HOME_NET any <> $EXTERNAL_NET any",
    "ip !$HOME_NET any -> any any",
    "tcp any any -> !10.9.9.9 any",
    "ip 10.1.0.0/16 any -> any any",
    "ip 10.1.0.1 any <> any any",
    "ip [10.1.0.0/24,!10.1.0.4] any -> any any",
    "ip 10.1.0.3-10.1.0.9 any -> any any",
    "ip 2001:db8::/32 any -> any any",
    "ip any any -> [10.0.0.0/8,2001:db8::/32] any",
    "ip [10.1.0.0/16,192.0.2.0/24] any <> [10.1.0.0/16,192.0.2.0/24] any",
    "udp ![10.1.0.0/24,192.0.2.0/25] any -> any any",
)

FLOWS = (
    "to_server", "to_client", "from_client", "from_server", "established", "not_established", "stateless", "no_stream",
    "only_stream", "no_frag", "only_frag", "to_server,established", "to_client,established", "from_client,not_established",
    "from_server,not_established", "stateless,to_server", "established,no_stream", "established,no_frag",
    "to_server,established,no_stream", "to_client,not_established,no_frag",
)  # fmt: skip

TCP_FLAGS = (
    "S", "SA", "A", "PA", "FA", "R", "RA", "F", "0", "+S", "+A", "*SF", "*SRF", "!S", "!A", "S,12", "SA,12", "S,CE", "PA,E",
    "+P", "U*", "A+", "!R", "SEC", "+E", "*CE", "FPU", "SF", "FSRPAU", "+SF,12",
)  # fmt: skip

KEYWORDS = {
    "tcp": (
        *(f"flags:{flags};" for flags in TCP_FLAGS),
        "window:8192;", "window:0;", "window:!8192;", "window:65535;",
        "seq:1000;", "seq:500000;", "seq:0;", "ack:0;", "ack:1001;", "ack:500001;",
    ),
    "icmp": (
        "itype:8;", "itype:0;", "itype:>7;", "itype:<9;", "itype:3<>12;", "itype:!8;", "itype:128;", "itype:3;", "itype:>=128;",
        "icode:0;", "icode:>0;", "icode:1;", "icode:0<>4;", "icode:<4;",
        "icmp_id:7;", "icmp_id:1;", "icmp_id:0;", "icmp_seq:1;", "icmp_seq:2;", "icmp_seq:0;", "itype:8; icode:0; icmp_id:7;",
    ),
    "ip": (
        "ttl:64;", "ttl:1;", "ttl:<64;", "ttl:>64;", "ttl:30-61;", "ttl:<=60;", "ttl:>=128;", "ttl:!64;",
        "tos:0;", "tos:16;", "tos:!0;", "tos:46;", "tos:x10;",
        "dsize:0;", "dsize:>0;", "dsize:300;", "dsize:<100;", "dsize:20<>100;", "dsize:!0;", "dsize:>1000;", "dsize:>=34;",
        "ip_proto:6;", "ip_proto:!6;", "ip_proto:17;", "ip_proto:>17;", "ip_proto:<17;", "ip_proto:ICMP;", "ip_proto:132;",
        "ip_proto:47;", "ip_proto:58;",
        "ipopts:any;", "ipopts:rr;", "ipopts:nop;", "ipopts:ts;", "ipopts:lsrr;", "ipopts:ssrr;", "ipopts:eol;", "ipopts:sec;",
        "ipopts:satid;", "ipopts:esec;",
        "fragbits:D;", "fragbits:M;", "fragbits:!D;", "fragbits:+M;", "fragbits:*MD;", "fragbits:R;", "fragbits:MD;",
        "fragbits:!M;",
        "fragoffset:0;", "fragoffset:>0;", "fragoffset:3;", "fragoffset:<100;",
        "sameip;", "id:1;", "id:77;", "id:0;",
    ),
    "udp": ("dsize:30;", "dsize:0;", "ttl:30;", "tos:8;"),
}  # fmt: skip


def alert_rules() -> list[str]:
    """Every rule of the comparison that only reports, with sids from 1."""
    bodies = [f"{header} (" for header in HEADERS]
    bodies += [f"{protocol} any any -> any any (flow:{flow}; " for protocol, flow in product(("ip", "tcp", "udp"), FLOWS)]
    bodies += [
        f"icmp any any -> any any (flow:{flow}; " for flow in ("to_server", "to_client", "established", "not_established")
    ]
    bodies += [f"{protocol} any any -> any any ({keyword} " for protocol, keywords in KEYWORDS.items() for keyword in keywords]
    bodies += [
        "tcp any any -> any 80 (flow:to_server,established; dsize:>0; flags:+P; ",
        "tcp any 80 -> $HOME_NET any (flow:to_client; flags:SA; window:8192; ",
        "ip any any -> any any (flow:established; ttl:<64; ",
        "tcp any any <> any 80 (flow:established; flags:F*; ",
        "udp $HOME_NET any -> any 53 (flow:to_server; dsize:>10; ttl:64; ",
        "icmp $EXTERNAL_NET any -> any any (itype:0; flow:to_client; ",
        "ip any any -> any any (ttl:64; ttl:>60; ",
        "tcp any any -> any any (flags:S; flags:!A; ",
    ]
    return [f"alert {body}sid:{sid};)" for sid, body in enumerate(bodies, 1)]


WEB = "tcp any any -> any 80"
ALL = "ip any any -> any any"
CHECK = f"alert {ALL} (ttl:<255; sid:900;)"  # says which packets rules are asked about at all

# Policies that decide; each is one run.
POLICIES = {
    "drop addresses": ["drop ip 10.1.0.0/28 any -> any any (sid:1;)", CHECK],
    "pass addresses": ["pass ip 10.1.0.0/28 any -> any any (sid:1;)", CHECK],
    "drop ports": [f"drop {WEB} (sid:1;)", CHECK],
    "drop answers": ["drop tcp any 80 -> any any (sid:1;)", CHECK],
    "reject ports": [f"reject {WEB} (sid:1;)", CHECK],
    "drop UDP": ["drop udp any any -> any 53 (sid:1;)", CHECK],
    "drop ICMP": ["drop icmp any any -> any any (sid:1;)", CHECK],
    "drop negated": ["drop tcp !10.1.0.3 any -> !10.9.9.9 any (sid:1;)", CHECK],
    "pass negated": ["pass tcp !10.1.0.3 any -> any any (sid:1;)", CHECK],
    "drop both ways": ["drop tcp any any <> any 8080 (sid:1;)", CHECK],
    "pass before drop": [f"drop {ALL} (sid:1;)", f"pass {WEB} (sid:2;)", CHECK],
    "pass packets before drop": [f"drop {ALL} (sid:1;)", f"pass {WEB} (flow:to_server; sid:2;)", CHECK],
    "pass packets before drop packets": [
        "drop tcp any any -> any any (flow:established; sid:1;)", "pass tcp any any -> any 80 (flow:to_server; sid:2;)", CHECK,
    ],
    "drop SYN": ["drop tcp any any -> any any (flags:S; sid:1;)", CHECK],
    "drop SYN-ACK": ["drop tcp any any -> any any (flags:SA; sid:1;)", CHECK],
    "drop established": [f"drop {ALL} (flow:established; sid:1;)", CHECK],
    "drop what is not established": [f"drop {ALL} (flow:not_established; sid:1;)", CHECK],
    "drop to the client": [f"drop {ALL} (flow:to_client; sid:1;)", CHECK],
    "drop data": ["drop tcp any any -> any any (dsize:>0; flow:to_server,established; sid:1;)", CHECK],
    "drop pings": ["drop icmp any any -> any any (itype:8; sid:1;)", CHECK],
    "drop in silence": [f"drop {WEB} (noalert; sid:1;)", CHECK],
    "drop and reject": [f"reject {WEB} (sid:1;)", f"drop {WEB} (flags:S; sid:2;)", CHECK],
    "drop and pass the flow on one packet": [f"drop {WEB} (flags:S; sid:1;)", f"pass {WEB} (sid:2;)", CHECK],
    "priorities of drops": [f"drop {WEB} (priority:2; sid:1;)", f"drop {WEB} (flags:S; priority:1; sid:2;)", CHECK],
    "priorities of alerts": [f"alert {ALL} (ttl:64; priority:4; sid:1;)", f"alert {ALL} (ttl:>1; priority:1; sid:2;)", CHECK],
    "set and test": [
        f"alert {WEB} (flags:S; flowbits:set,seen; noalert; sid:1;)",
        "drop tcp any 80 -> any any (flowbits:isset,seen; flow:established; sid:2;)", CHECK,
    ],
    "test what is not set": [
        "alert tcp any any -> any any (dsize:>0; flowbits:set,data; sid:1;)",
        "alert tcp any any -> any any (flowbits:isnotset,data; flow:established; sid:2;)", CHECK,
    ],
    "unset": [
        "alert tcp any any -> any any (flags:S; flowbits:set,a; sid:1;)",
        "alert tcp any any -> any any (flags:PA; flowbits:isset,a; flowbits:unset,a; sid:2;)",
        "alert tcp any any -> any any (flowbits:isset,a; sid:3;)",
    ],
    "toggle": [
        f"alert {ALL} (flowbits:toggle,odd; noalert; sid:1;)", f"alert {ALL} (flowbits:isset,odd; sid:2;)",
        f"drop {ALL} (flowbits:isnotset,odd; dsize:0; sid:3;)",
    ],
    "one of two bits": [
        "alert tcp any any -> any any (flags:S; flowbits:set,a; sid:1;)",
        "alert udp any any -> any any (flowbits:set,b; sid:2;)",
        f"alert {ALL} (flowbits:isset,a|b; sid:3;)", f"alert {ALL} (flowbits:isnotset,a|b; sid:4;)",
    ],
    "bits behind a pass": [
        "pass tcp any any -> any any (flags:S; sid:1;)", "alert tcp any any -> any any (flags:S; flowbits:set,a; sid:2;)",
        "alert tcp any any -> any any (flowbits:isset,a; sid:3;)",
    ],
    "chained bits": [
        "alert tcp any any -> any any (flags:S; flowbits:set,one; sid:3;)",
        "alert tcp any any -> any any (flags:SA; flowbits:isset,one; flowbits:set,two; sid:2;)",
        "drop tcp any any -> any any (flowbits:isset,two; dsize:>0; sid:1;)",
    ],
    "many matches": [f"alert {ALL} (ttl:<255; priority:{1 + sid % 3}; sid:{sid};)" for sid in range(1, 21)],
}  # fmt: skip
