"""Every key of the policy file: where it stands, what it takes, what holds without it, what it means.

The reader takes its keys from here and the manual's reference is printed from here.
"""

from __future__ import annotations

from typing import NamedTuple

from twinwall.policy.model import Exceptional, Flows, InspectionFailure, Mode, Order, Overlap, StatefulDefault, Timeout


class Key(NamedTuple):
    """One key of one section."""

    section: str
    name: str
    takes: str
    default: str
    meaning: str


def _words(values: object) -> str:
    return ", ".join(f"`{value}`" for value in values)  # type: ignore[attr-defined]


FATES = "`pass`, `drop`, `forward`"

KEYS = (
    Key("", "twinwall", "`1`", "required", "the version of the policy format"),
    Key("", "name", "a text", "empty", "what people call the policy"),
    Key(
        "",
        "variables",
        "names, each with an expression or a list",
        "none",
        "sets of addresses or ports that rules write as `$NAME`",
    ),
    Key("", "stateless", "a mapping", "no rules; everything is forwarded", "the stage that judges each packet alone"),
    Key("", "stateful", "a mapping", "no rules; everything passes", "the stage that follows connections"),
    Key(
        "",
        "timeouts",
        "a mapping of names to times",
        "Linux's",
        "how long a connection without packets is remembered, for each of its states",
    ),
    Key("", "tracking", "a mapping", "Linux's", "settings of the connection tracker"),
    Key("", "attach", "a mapping", "not attached", "where `apply` puts the policy; of this, replay takes `flows` alone"),
    Key("", "nat", "a mapping", "none", "which addresses the gateway translates; replay translates none"),
    Key(
        "variable",
        "file",
        "a file name, a pattern, or a list of them",
        "none",
        "in the place of a variable's value: its elements stand in a file, one a line, `#` begins a comment",
    ),
    Key("stateless", "default", FATES, "`forward`", "what happens to a packet that no stateless rule matched"),
    Key("stateless", "fragments", FATES, "the value of `default`", "the same for a fragment"),
    Key("stateless", "other_fragments", FATES, "the value of `fragments`", "the same for fragments of anything but UDP"),
    Key(
        "stateless",
        "rules",
        "rules, one a line (`rules: |`), or a list of rules",
        "none",
        "the stateless rules; the first that matches decides",
    ),
    Key("stateless", "files", "a file name, a pattern, or a list of them", "none", "more rules, behind those of `rules`"),
    Key(
        "stateful",
        "order",
        _words(each.value for each in Order),
        "`action`",
        "`strict`: as written; `action`: pass, drop, reject, alert, as in Suricata",
    ),
    Key(
        "stateful",
        "default",
        "one or a list of " + _words(each.value for each in StatefulDefault),
        "none",
        "strict order only: what happens to a packet that no rule decided",
    ),
    Key(
        "stateful",
        "midstream",
        _words(each.value for each in Exceptional),
        "`drop`",
        "a TCP connection whose start was not seen",
    ),
    Key("stateful", "invalid", "`drop`, `continue`", "`drop`", "a packet that the tracker calls INVALID"),
    Key("stateful", "rules", "rules, one a line (`rules: |`), or a list of rules", "none", "the stateful rules"),
    Key("stateful", "files", "a file name, a pattern, or a list of them", "none", "more rules, behind those of `rules`"),
    *(
        Key("timeouts", each.value[0], "a time: `350s`, `5m`, `2h`, `1d`, or seconds", f"`{each.value[1]}s`", "")
        for each in Timeout
    ),
    Key(
        "tracking",
        "tcp_loose",
        "`true`, `false`",
        "`true`",
        "pick up a TCP connection in its middle, where `midstream` allows it",
    ),
    Key("tracking", "tcp_be_liberal", "`true`, `false`", "`false`", "only a RST outside the window is INVALID"),
    Key("tracking", "tcp_ignore_invalid_rst", "`true`, `false`", "`false`", "a RST outside the window is not INVALID"),
    Key(
        "tracking",
        "tcp_max_retrans",
        "a number, 0 to 255",
        "`3`",
        "after so many retransmissions `tcp_max_retrans` is the timeout",
    ),
    Key("tracking", "connections", "a number, 1 to 67108864", "`262144`", "how many connections the table holds"),
    Key("tracking", "overlap", _words(each.value for each in Overlap), "`discard`", "which byte wins where fragments overlap"),
    Key("tracking", "datagrams", "a number, 1 to 65535", "`256`", "how many datagrams may be under reassembly"),
    Key(
        "tracking",
        "flows",
        _words(each.value for each in Flows),
        "`linux` with `attach`, else `rules`",
        "which flows the rules know: those of which a packet was seen, or those that are in Linux's connection table",
    ),
    Key("attach", "mode", _words(each.value for each in Mode), "`gateway`", "what the machine is to the traffic"),
    Key("attach", "inside", "an interface's name or a list", "none", "interfaces of the protected side"),
    Key("attach", "outside", "an interface's name or a list", "none", "interfaces of the other side"),
    Key(
        "attach",
        "on_inspection_failure",
        _words(each.value for each in InspectionFailure),
        "`drop`",
        "what becomes of packets that wait for the inspector when it is gone or does not keep up",
    ),
    Key("attach", "log_group", "a number, 0 to 65535", "`1776`", "the NFLOG group of what rules report"),
    Key("attach", "queues", "a number or a range, `1776-1779`", "`1776`", "the NFQUEUE numbers for inspection"),
    Key(
        "nat",
        "masquerade",
        "an interface's name or a list",
        "none",
        "outside interfaces: what leaves through one gets its address as source",
    ),
    Key("nat", "source", "a mapping or a list of them", "none", "sources that get an address of your choice"),
    Key("nat", "forward", "a mapping or a list of them", "none", "ports of the gateway that lead to a machine behind it"),
    Key("nat.source", "interface", "an interface's name", "required", "the outside interface through which packets leave"),
    Key("nat.source", "source", "addresses, `$NAME` or a list", "`any`", "whose packets; of the address's IP version"),
    Key("nat.source", "address", "an address", "required", "the source that they get"),
    Key("nat.forward", "interface", "an interface's name", "required", "the interface on which connections come in"),
    Key("nat.forward", "protocol", "`tcp`, `udp`", "required", "whose ports"),
    Key("nat.forward", "ports", "a port or a range, `8000-8010`", "required", "the ports that connections ask for"),
    Key(
        "nat.forward",
        "to",
        "`10.20.0.80`, `10.20.0.80:80`, `[2001:db8::1]:80`",
        "required",
        "where they go; without a port, to the same port",
    ),
    Key("nat.forward", "address", "an address", "the gateway's own", "the address that connections ask for"),
)


def names_of(section: str) -> tuple[str, ...]:
    """The keys of a section, in the manual's order."""
    return tuple(key.name for key in KEYS if key.section == section)
