"""How packets get to the inspector where nftables has no `queue` statement: the xtables target NFQUEUE, in a table of our own.

The nft program cannot write a foreign target, so the table goes to the kernel as nf_tables messages:

    table inet twinwall_queue {
        chain forward {                       gateway and bridge; on a host, input and output
            type filter hook forward priority 1;
            meta mark & 0x00700000 == 0x00500000  counter  NFQUEUE first, number of queues, by CPU, bypass
        }
    }

The table is the same for every policy with the same `attach`; the marks that it looks at are written by the ruleset, one
priority earlier (docs/design/enforcement.md).  Messages: <linux/netfilter/nf_tables.h>, <linux/netfilter/xt_NFQUEUE.h>.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.live.netlink import (
    ACK,
    APPEND,
    CREATE,
    NETLINK_NETFILTER,
    REQUEST,
    NetlinkError,
    NetlinkSocket,
    attribute,
    attribute_list,
    attributes,
    nested,
    text,
)
from twinwall.policy.model import Attach, InspectionFailure, Mode
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, RuleAction

TABLE = "twinwall_queue"
PRIORITY = 1  # right behind the stateful stage
HOOKS = {"input": 1, "forward": 2, "output": 3}
MODE_HOOKS = {Mode.GATEWAY: ("forward",), Mode.BRIDGE: ("forward",), Mode.HOST: ("input", "output")}

INET, NF_TABLES, COMPAT = 1, 10, 11
BATCH_BEGIN, BATCH_END = 0x10, 0x11
NEW_TABLE, GET_TABLE, DELETE_TABLE, NEW_CHAIN, NEW_RULE, GET_RULE = (NF_TABLES << 8 | number for number in (0, 1, 2, 3, 6, 7))
COMPAT_GET = COMPAT << 8
TARGET, TARGET_REVISION = "NFQUEUE", 3
BYPASS, BY_CPU = 1, 2
REGISTER, META_MARK, EQUAL = 1, 3, 0
RULE_TABLE, RULE_CHAIN, RULE_EXPRESSIONS = 1, 2, 4
EXPRESSION_NAME, EXPRESSION_DATA, LIST_ELEMENT = 1, 2, 1
COUNTER = b"counter\0"


@dataclass(frozen=True, slots=True)
class QueueRule:
    """What hands packets to the inspector at one hook; `packets` and `bytes` count what it has handed over."""

    hook: str
    first: int
    last: int
    bypass: bool  # packets pass while nobody receives the queue
    packets: int = 0
    bytes: int = 0


def queue_rules(attach: Attach) -> tuple[QueueRule, ...]:
    """The rules that a policy's `attach` asks for."""
    bypass = attach.on_inspection_failure is InspectionFailure.PASS
    return tuple(QueueRule(hook, *attach.queues, bypass) for hook in MODE_HOOKS[attach.mode])


def target_works() -> bool:
    """Whether the kernel has the target in the form that is used here.  Asks, and changes nothing."""
    question = text(1, TARGET) + attribute(2, TARGET_REVISION.to_bytes(4)) + attribute(3, (1).to_bytes(4))
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        try:
            kernel.request("ask for the NFQUEUE target", COMPAT_GET, _head(socket.AF_INET) + question)
        except NetlinkError as error:
            if error.number in (errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
                return False
            raise
    return True


def install(rules: tuple[QueueRule, ...]) -> None:
    """Make the table hold exactly these rules, in one transaction, whatever it held before.  Raises `NetlinkError`."""
    messages = [_table(NEW_TABLE), _table(DELETE_TABLE), _table(NEW_TABLE)]
    for rule in rules:
        messages += [_chain(rule), _rule(rule)]
    _commit("install the queue's table", messages)


def remove() -> None:
    """Take the table away, if it is there.  Raises `NetlinkError`."""
    _commit("remove the queue's table", [_table(NEW_TABLE), _table(DELETE_TABLE)])


def describe() -> tuple[QueueRule, ...]:
    """The rules that the kernel holds now, with their counters; none: the table is not there.  Raises `NetlinkError`."""
    return tuple(rule for each in _rules() if (rule := _decode(each)) is not None)


def still() -> str:
    """Every rule of the table, whoever put it there, without counters: what changes only if somebody changes it.

    In a form of our own: nft would ask libxtables, which prints complaints about tables of this family.
    """
    lines = []
    for rule in _rules():
        parts = [attributes(element) for _, element in attribute_list(rule.get(RULE_EXPRESSIONS, b""))]
        words = [(each[EXPRESSION_NAME], each.get(EXPRESSION_DATA)) for each in parts if each[EXPRESSION_NAME] != COUNTER]
        lines.append(f"{rule[RULE_CHAIN]!r}: {words!r}\n")
    return "".join(lines)


def _rules() -> list[dict[int, bytes]]:
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        messages = kernel.dump("read the queue's table", GET_RULE, _head(INET) + text(RULE_TABLE, TABLE))
    found = (attributes(message.payload, 4) for message in messages)
    return [rule for rule in found if rule.get(RULE_TABLE) == TABLE.encode() + b"\0"]


def _commit(action: str, messages: list[tuple[int, int, bytes]]) -> None:
    begin, end = ((kind, REQUEST, _head(0, NF_TABLES)) for kind in (BATCH_BEGIN, BATCH_END))
    with NetlinkSocket(NETLINK_NETFILTER) as kernel:
        kernel.transact(action, [begin, *messages, end])


def _head(family: int, subsystem: int = 0) -> bytes:
    return struct.pack("!BBH", family, 0, subsystem)


def _table(kind: int) -> tuple[int, int, bytes]:
    flags = REQUEST | ACK | (CREATE if kind == NEW_TABLE else 0)
    return kind, flags, _head(INET) + text(1, TABLE)


def _chain(rule: QueueRule) -> tuple[int, int, bytes]:
    hook = nested(4, attribute(1, HOOKS[rule.hook].to_bytes(4)), attribute(2, PRIORITY.to_bytes(4)))
    return NEW_CHAIN, REQUEST | ACK | CREATE, _head(INET) + text(1, TABLE) + text(3, rule.hook) + hook + text(7, "filter")


def _rule(rule: QueueRule) -> tuple[int, int, bytes]:
    expressions = nested(RULE_EXPRESSIONS, *_expressions(rule))
    place = text(RULE_TABLE, TABLE) + text(RULE_CHAIN, rule.hook)
    return NEW_RULE, REQUEST | ACK | CREATE | APPEND, _head(INET) + place + expressions


def _expressions(rule: QueueRule) -> Iterator[bytes]:
    register = REGISTER.to_bytes(4)
    yield _expression("meta", attribute(1, register), attribute(2, META_MARK.to_bytes(4)))
    masked = (attribute(3, (4).to_bytes(4)), nested(4, _word(ACTION_MASK)), nested(5, _word(0)))
    yield _expression("bitwise", attribute(1, register), attribute(2, register), *masked)
    inspect = nested(3, _word(RuleAction.INSPECT << ACTION_SHIFT))
    yield _expression("cmp", attribute(1, register), attribute(2, EQUAL.to_bytes(4)), inspect)
    yield _expression("counter")
    flags = BY_CPU * (rule.last > rule.first) | BYPASS * rule.bypass
    info = struct.pack("=HHHxx", rule.first, rule.last - rule.first + 1, flags)
    yield _expression("target", text(1, TARGET), attribute(2, TARGET_REVISION.to_bytes(4)), attribute(3, info))


def _word(value: int) -> bytes:
    """A value as a register holds a mark: in the machine's byte order."""
    return attribute(1, struct.pack("=I", value))


def _expression(name: str, *data: bytes) -> bytes:
    body = (nested(EXPRESSION_DATA, *data),) if data else ()
    return nested(LIST_ELEMENT, text(EXPRESSION_NAME, name), *body)


def _decode(rule: dict[int, bytes]) -> QueueRule | None:
    found = {}
    for _, element in attribute_list(rule.get(RULE_EXPRESSIONS, b"")):
        parts = attributes(element)
        found[parts.get(EXPRESSION_NAME, b"")] = attributes(parts.get(EXPRESSION_DATA, b""))
    info = found.get(b"target\0", {}).get(3)
    if info is None or len(info) < 6:
        return None
    first, total, flags = struct.unpack_from("=HHH", info)
    counter = found.get(COUNTER, {})
    counted = (int.from_bytes(counter.get(kind, b"")) for kind in (2, 1))
    return QueueRule(rule[RULE_CHAIN].rstrip(b"\0").decode(), first, first + total - 1, bool(flags & BYPASS), *counted)
