"""Where the packets come from: the base chains of each mode."""

from __future__ import annotations

from collections.abc import Sequence

from twinwall.path.layout import TCP
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Attach, InspectionFailure, Mode
from twinwall.render.chains import Chains
from twinwall.render.hits import ACTION, SCOPE, action
from twinwall.render.marks import (
    CT_DROP,
    CT_GENERATION_SHIFT,
    CT_PASS,
    CT_RULE,
    REJECTED,
    STAMP_MASK,
    STAMP_SHIFTS,
    STAMPS,
    STATELESS_PASS,
    RuleAction,
    Stamp,
    slot,
)
from twinwall.render.options import QueueWay, RenderOptions
from twinwall.render.switch import Shortcut
from twinwall.render.verdicts import Ends

EARLY, UNTRACKED, STATEFUL, QUEUE, INSPECTED = -450, -300, 0, 1, 2
FEW = 6  # names
MASTERS = ('"bridge"', '"bond"', '"team"', '"vrf"')  # what goes on as theirs has come in by another interface
HOOKS = {Mode.GATEWAY: ("forward",), Mode.BRIDGE: ("forward",), Mode.HOST: ("input", "output")}


def base(hook: str, priority: int) -> str:
    """The head of a base chain."""
    return f"type filter hook {hook} priority {priority}; policy accept;"


def names(attach: Attach) -> str:
    """The attached interfaces as a set."""
    return f"{{ {', '.join(f'{chr(34)}{name}{chr(34)}' for name in attach.interfaces)} }}"


def through(attach: Attach, line: str) -> list[str]:
    """`line` for packets that come in through an attached interface.

    A few names are compared one by one: that costs a fifth of a lookup each.
    """
    if len(attach.interfaces) > FEW:
        return [f"iifname {names(attach)} {line}"]
    return [f'iifname "{name}" {line}' for name in attach.interfaces]


def render_early(chains: Chains, ends: Ends, attach: Attach, generation: int) -> None:
    """Take the stateless stage's stamp: before defragmentation and tracking."""
    render_stamp(chains, ends, generation)
    own, forward = own_stamp(generation), f"{forward_stamp(generation):#010x}"
    chains.add("unforwarded", through(attach, "goto stamp"))
    lines = [f"{own} != {forward} goto unforwarded"]
    if attach.mode is Mode.GATEWAY:
        # Nearly every packet ends here, with its stamp: to take it off costs as much as two chains, and nobody reads it again.
        lines.insert(0, f"meta mark {forward} accept")
        # But for what the gateway itself unpacks: out of a tunnel a packet comes with the mark of the one that it was in.
        taken = f"meta mark set meta mark & {0xFFFFFFFF ^ STAMPS:#010x}"
        chains.add("received", [base("input", EARLY), f"{own} == {forward} {taken}"])
    else:
        lines += through(attach, "goto stamp_forward")
    chains.add("early", [base("prerouting", EARLY), *lines])


def shortcuts(attach: Attach, known: Sequence[str], generation: int) -> dict[str, Shortcut]:
    """What the base chains of a gateway say themselves; `known` finds the packets of flows that are decided.

    A packet with just this policy's stamp came through its program or chain: a number that another interface has got by now
    is not taken for that of an attached one.
    """
    if attach.mode is not Mode.GATEWAY:
        return {}
    stamped = f"meta mark {forward_stamp(generation):#010x}"
    found = {"early": Shortcut(f"{stamped} accept")}
    if known and len(attach.interfaces) <= FEW:
        found["forward"] = Shortcut(f"{stamped} {known[0]}", attach.interfaces)
    return found


def own_stamp(generation: int) -> str:
    """What reads the slot of a generation off a packet's mark."""
    return f"meta mark & {STAMP_MASK << STAMP_SHIFTS[slot(generation)]:#010x}"


def forward_stamp(generation: int) -> int:
    """The mark of a packet that one policy alone has stamped, and left to the stateful stage."""
    return Stamp.FORWARD << STAMP_SHIFTS[slot(generation)]


def render_stamp(chains: Chains, ends: Ends, generation: int, forward: int = 0) -> None:
    """The chain `stamp`; a packet that goes on to the stateful stage gets the mark `forward`."""
    shift = STAMP_SHIFTS[slot(generation)]
    none, dropped = ends.counter("drop_no_stamp"), ends.counter("drop_stateless")
    chains.add("stamp_pass", [f"meta mark set {STATELESS_PASS:#010x} notrack accept"])
    chains.add("stamp_forward", [f"meta mark set {forward:#010x} accept"])
    chains.add("stamp_drop", [f"{dropped} drop"])
    targets = {Stamp.FORWARD: "stamp_forward", Stamp.PASS: "stamp_pass", Stamp.DROP: "stamp_drop"}
    pairs = ", ".join(f"{stamp << shift:#010x} : goto {name}" for stamp, name in targets.items())
    chains.add("stamp", [f"{own_stamp(generation)} vmap {{ {pairs} }}", f"{none} drop"])


def render_hooks(chains: Chains, ends: Ends, attach: Attach, generation: int) -> None:
    """The stateful stage's own base chains.

    What the stateless stage has left to this one, and comes from a bridge that is not attached, came in through an attached
    interface that somebody has made a port of it.
    """
    ours = names(attach)
    stamped = f"{own_stamp(generation)} == {forward_stamp(generation):#010x}"
    ported = f"meta iifkind {{ {', '.join(MASTERS)} }} {stamped} {ends.counter('drop_ported')} drop"
    if attach.mode is Mode.HOST:
        chains.add("input", [base("input", STATEFUL), *through(attach, "goto judge"), ported])
        answer = f"meta mark {REJECTED:#010x} meta mark set 0x00000000 accept"
        chains.add("output", [base("output", STATEFUL), f"oifname != {ours} accept", answer, "goto judge"])
        return
    unjudged = f"oifname {ours} {ends.counter('drop_unattached')} drop"
    chains.add("forward", [base("forward", STATEFUL), *through(attach, "goto judge"), ported, unjudged])


def render_untracked_answers(chains: Chains) -> None:
    """A reset that answers an INVALID packet belongs to no connection, and must not be taken for the sender's own.

    Linux tracks it as what it looks like: anybody could have a connection's state changed by a packet that is not part of it.
    What the machine sends under another's address is nothing but such answers.
    """
    reset = f"meta l4proto {TCP} tcp flags & rst != 0x0 fib saddr type != local notrack"
    chains.add("answers", [base("output", UNTRACKED), reset])


def render_inspection(chains: Chains, ends: Ends, attach: Attach, options: RenderOptions) -> None:
    """Packets for the inspector leave at +1; at +2 his decision is written on the connection.

    What comes from elsewhere has its marks from somebody else; on a bridge, all comes from the bridge.
    """
    for hook in HOOKS[attach.mode]:
        ours = "" if attach.mode is Mode.BRIDGE else f"{'oifname' if hook == 'output' else 'iifname'} {names(attach)} "
        if options.queue is QueueWay.NATIVE:
            flags = "fanout,bypass" if attach.on_inspection_failure is InspectionFailure.PASS else "fanout"
            low, high = attach.queues
            line = f"{ACTION} == {action(RuleAction.INSPECT)} {ours}queue flags {flags} to {low}-{high}"
            chains.add(f"queue_{hook}", [base(hook, QUEUE), line])
        chains.add(f"inspected_{hook}", [base(hook, INSPECTED), f"{ACTION} != 0x0 {ours}goto inspected"])
    number = options.generation << CT_GENERATION_SHIFT
    targets = {}
    for which, bit, verdict in (
        (RuleAction.PASS, CT_PASS, "meta mark set 0x00000000 accept"),
        (RuleAction.DROP, CT_DROP, "drop"),
        (RuleAction.REJECT, CT_DROP, "goto answer"),
    ):
        write = (
            f"{SCOPE} ct mark & {CT_PASS | CT_DROP:#010x} == 0x0 ct mark set meta mark & {CT_RULE:#010x} | {number | bit:#010x}"
        )
        count = ends.counter(f"{which.name.lower()}_inspection")
        targets[which] = chains.add(f"inspected_{which.name.lower()}", [write, *ends.seen(Reason.RULE), f"{count} {verdict}"])
    failed = Verdict.PASS if attach.on_inspection_failure is InspectionFailure.PASS else Verdict.DROP
    if failed is Verdict.PASS:
        undecided = f"{ends.counter('pass_inspection_failed')} meta mark set 0x00000000 accept"
    else:
        undecided = f"{ends.counter('drop_inspection_failed')} drop"
    pairs = ", ".join(f"{action(which)} : goto {name}" for which, name in targets.items())
    chains.add("inspected", [f"{ACTION} vmap {{ {pairs} }}", undecided])
    ends.answer()
