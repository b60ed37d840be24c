"""The section `attach` of a policy file: on which interfaces of a Linux machine the policy is enforced, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Attach, InspectionFailure, Mode, PacketField, Rule
from twinwall.rules.document import Mapping, Node, Scalar
from twinwall.rules.located import Located
from twinwall.rules.suggest import did_you_mean
from twinwall.rules.values import Values

LONGEST_NAME = 15  # IFNAMSIZ, less the zero at its end
# Linux takes any bytes but blanks, `/` and `:`; these are the ones that names are made of, and that need no quoting anywhere.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*", re.ASCII)
QUEUES = re.compile(r"([0-9]{1,5})(?: *- *([0-9]{1,5}))?", re.ASCII)
TOP_NUMBER = 65535  # of NFLOG groups and of queues


def read_attach(values: Values, node: Node) -> Attach:
    """What the section says; every mistake is reported to `values`."""
    section = values.section(node, "attach")
    if (isinstance(node, Scalar) and node.null) or (isinstance(node, Mapping) and not node.entries):
        hint = "name the interfaces, `inside: [lan0]` and `outside: [wan0]`, or leave `attach` out"
        values.report(Code.EMPTY_ATTACH, "`attach` says nothing", node.span, hint)
    inside, outside = _sides(values, section)
    mode = values.choice(section["mode"], Mode) if "mode" in section else None
    failure = values.choice(section[FAILURE], InspectionFailure) if FAILURE in section else None
    group = values.number(section["log_group"], 0, TOP_NUMBER) if "log_group" in section else None
    usual = Attach()
    return Attach(
        mode or usual.mode,
        inside,
        outside,
        failure or usual.on_inspection_failure,
        usual.log_group if group is None else group,
        (_queues(values, section["queues"]) if "queues" in section else None) or usual.queues,
    )


FAILURE = "on_inspection_failure"


def _sides(values: Values, section: dict[str, Node]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    seen: dict[str, str] = {}
    sides: dict[str, list[str]] = {"inside": [], "outside": []}
    for side, names in sides.items():
        for text in values.texts(section[side], "an interface's name") if side in section else []:
            name = interface_name(values, text)
            if name is None:
                continue
            before = seen.setdefault(name, side)
            if before != side or name in names:
                where = "twice" if before == side else "on both sides"
                hint = "every interface is on one side, and named once"
                values.report(Code.BAD_INTERFACE, f"the interface `{name}` stands {where}", _place(text), hint)
                continue
            names.append(name)
    return tuple(sides["inside"]), tuple(sides["outside"])


def interface_name(values: Values, text: Located) -> str | None:
    """The name, or None, reported, where Linux has no interface of that name."""
    why = why_no_interface(text.text)
    if not why:
        return text.text
    values.report(Code.BAD_INTERFACE, f"{text.text!r} is not the name of an interface", _place(text), why)
    return None


def why_no_interface(name: str) -> str:
    """Why no interface of Linux is called that; empty if one can be."""
    if len(name) > LONGEST_NAME:
        return f"names have at most {LONGEST_NAME} characters; this one has {len(name)}"
    return "" if NAME.fullmatch(name) else "a name is made of letters, digits and _ . @ + -, like eth0, br-lan or wan0.100"


def check_rules(values: Values, rules: Iterable[Rule], interfaces: tuple[str, ...], attach: Attach) -> None:
    """Report rules of an attached policy that ask for an interface on which it will see no packet come in.

    `interfaces` are the names that rules use.  Where `attach` names none, they come with `apply`, and nothing can be said yet.
    """
    wrong = {number: why for number, name in enumerate(interfaces, 1) if (why := _why_not_asked(name, attach.interfaces))}
    for rule in rules if wrong else ():
        for number in {each.ranges[0][0] for each in rule.conditions if each.field is PacketField.INTERFACE} & wrong.keys():
            message = f"rule {rule.sid} asks for the interface `{interfaces[number - 1]}`, where no packet comes in"
            values.report(Code.BAD_INTERFACE, message, rule.span, wrong[number])


def _why_not_asked(name: str, attached: tuple[str, ...]) -> str:
    if not attached or name in attached:
        return why_no_interface(name)
    return did_you_mean(name, attached) or f"the interfaces of `attach` are {', '.join(attached)}"


def _queues(values: Values, node: Node) -> tuple[int, int] | None:
    scalar = values.scalar(node, "a queue's number or a range of them")
    if scalar is None:
        return None
    match = QUEUES.fullmatch(scalar.text.text)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if low <= high <= TOP_NUMBER:
        return low, high
    message = f"{scalar.text.text!r} is neither a queue's number nor a range of them"
    values.report(Code.BAD_NUMBER, message, scalar.span, f"write 1776 or 1776-1779; numbers are 0 to {TOP_NUMBER}")
    return None


def _place(text: Located) -> Span:
    return text.span(0, len(text.text))
