"""Hypothesis strategies for the rule language: sound rules as text, and texts that are nearly rules."""

from __future__ import annotations

from hypothesis import strategies as st

V4 = st.builds("{}.{}.{}.{}".format, *[st.integers(0, 255)] * 4)
V6 = st.builds("2001:db8:{:x}::{:x}".format, st.integers(0, 65535), st.integers(0, 65535))
NETWORK = st.one_of(st.builds("{}/{}".format, V4, st.integers(1, 32)), st.builds("{}/{}".format, V6, st.integers(1, 128)))
ADDRESS = st.one_of(V4, V6, NETWORK, st.just("any"))
PORT = st.one_of(
    st.integers(0, 65535).map(str),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: f"{min(pair)}:{max(pair)}"),
    st.integers(0, 65535).map("{}:".format),
    st.just("any"),
)


def lists(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over `item`: alone, excluded, in lists and in lists of lists."""
    marked = st.builds("{}{}".format, st.sampled_from(["", "", "!"]), item)
    return st.recursive(
        marked,
        lambda each: st.builds(
            "{}[{}]".format, st.sampled_from(["", "!"]), st.lists(each, min_size=1, max_size=4).map(",".join)
        ),
        max_leaves=6,
    )


COMPARISON = st.one_of(
    st.integers(0, 255).map(str),
    st.integers(0, 255).map("!{}".format),
    st.integers(1, 255).map("<{}".format),
    st.integers(0, 254).map(">{}".format),
    st.tuples(st.integers(0, 200), st.integers(2, 55)).map(lambda pair: f"{pair[0]}-{sum(pair)}"),
)
FLAGS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "+", "*", "!"]),
    st.text("SAPRFU12CE0", min_size=1, max_size=5),
    st.one_of(st.just(""), st.text("SAPRFU12CE", min_size=1, max_size=3).map(",{}".format)),
)
NAME = st.text("abcXYZ09._-", min_size=1, max_size=6)
HEADER_OPTIONS = [
    FLAGS.map("flags:{};".format),
    COMPARISON.map("itype:{};".format),
    COMPARISON.map("icode:{};".format),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='\\";\x85'),
        min_size=1,
        max_size=12,
    )
    .filter(lambda text: text.strip() == text)
    .map('msg:"{}";'.format),
    st.sampled_from(["classtype:network-scan;", "rev:7;", "gid:3;", "priority:1;", "reference:url,x.y/z;", "metadata:a b, c;"]),
    st.integers(0, 255).map("ip_proto:{};".format),
]
STATEFUL_OPTIONS = [
    *HEADER_OPTIONS,
    COMPARISON.map("ttl:{};".format),
    COMPARISON.map("tos:{};".format).filter(lambda text: not set(text) & set("<>-")),
    COMPARISON.map("dsize:{};".format),
    st.builds("fragbits:{}{};".format, st.sampled_from(["", "+", "*", "!"]), st.text("MDR", min_size=1, max_size=3)),
    st.integers(0, 65535).map("fragoffset:>{};".format).filter(lambda text: "65535" not in text),
    st.sampled_from(
        ["ipopts:any;", "ipopts:ts;", "sameip;", "id:5;", "seq:6;", "ack:7;", "window:!8;", "icmp_id:9;", "icmp_seq:1;"]
    ),
    st.sampled_from(
        ["flow:to_server,established;", "flow:no_stream,from_server,only_frag;", "flow:stateless;", "noalert;", "alert;"]
    ),
    st.builds("flowbits:{},{};".format, st.sampled_from(["set", "isset", "isnotset", "unset", "toggle"]), NAME),
    st.builds("flowbits:isset,{}|{};".format, NAME, NAME),
    st.sampled_from(["interface:eth0;", "interface:!lan.7;", "inspect;"]),
]
STATELESS_OPTIONS = [
    *HEADER_OPTIONS,
    st.sampled_from(["fragment:no;", "fragment:later;", "interface:eth0;", "interface:!lan.7;"]),
]


def rules(actions: list[str], options: list[st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    """Whole rules; some of them contradict themselves."""
    return st.builds(
        "{} {} {} {} {} {} {} ({} sid:{};)".format,
        st.sampled_from(actions),
        st.sampled_from(["ip", "ipv4", "ip6", "tcp", "udp", "icmp", "icmpv4", "icmpv6", "sctp", "tcp-pkt"]),
        lists(ADDRESS),
        lists(PORT),
        st.sampled_from(["->", "<>"]),
        lists(ADDRESS),
        lists(PORT),
        st.lists(st.one_of(*options), max_size=4).map(" ".join),
        st.integers(1, 10**6),
    )


STATEFUL = rules(["pass", "drop", "reject", "alert"], STATEFUL_OPTIONS)
STATELESS = rules(["pass", "drop", "forward"], STATELESS_OPTIONS)


@st.composite
def mutated(draw: st.DrawFn, sound: st.SearchStrategy[str]) -> str:
    """A sound text with a few characters taken out, put in or doubled."""
    text = draw(sound)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 6)))
        text = (
            text[:at]
            + draw(st.one_of(st.text(max_size=3), st.sampled_from(list('[]!$,;:"\\()<>-\n ')))) * draw(st.integers(1, 3))
            + text[end:]
        )
    return text
