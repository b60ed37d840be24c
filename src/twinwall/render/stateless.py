"""The stateless stage in nftables: for interfaces without XDP, and for what a host sends.

In front of the IP layer it is `table netdev twinwall_0` or `_1`, by the slot of the policy's generation (`render.marks`),
so that while one policy replaces another both can stamp every packet, as the XDP programs do; the inet ruleset reads the
slot of its own generation alone.  `stateless_table` with `direct=False` stamps what the policy drops and leaves the
dropping to the ruleset: so it may stand beside the policy in force, before the switch and after it.  With `direct=True` it
drops by itself; `drops_script` turns one into the other.

In host mode `output_chains` judge what the machine sends, in `table inet twinwall`, at the same place before tracking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from twinwall.path.reason import Reason
from twinwall.policy.model import Action, Attach, Policy
from twinwall.render.marks import REJECTED, STAMP_MASK, STAMP_SHIFTS, STAMPS, STATELESS_PASS, Stamp, slot
from twinwall.render.ready import INET, NETDEV
from twinwall.render.stateless_rules import ACTIONS, rule_chains
from twinwall.render.stateless_sound import (
    FIRST,
    LATER,
    MALFORMED,
    WHOLE,
    Chain,
    counted,
    counter,
    link_rules,
    mark,
    sound_chains,
)
from twinwall.render.switch import Hook, TableText, only_rules, under_generation

PRIORITY = -450  # before fragments are put together, at -400
STAMP_OF = {Action.PASS: Stamp.PASS, Action.DROP: Stamp.DROP, Action.FORWARD: Stamp.FORWARD}
DECIDED = (Reason.STATELESS_RULE, Reason.STATELESS_DEFAULT, Reason.STATELESS_FRAGMENT_DEFAULT)
NOBODY = "!= 4294967295"  # no user has this number: holds for every packet of a program's socket, and for no other
OUTPUT = "stateless_"  # how the names of the output chain's helpers begin, in the table that they share


def table_name(generation: int) -> str:
    """The netdev table of a generation."""
    return f"twinwall_{slot(generation)}"


def stateless_table(policy: Policy, attach: Attach, generation: int, *, direct: bool = True) -> TableText:
    """The netdev table."""
    rules = rule_chains(policy)
    chains = (*_stamps(generation, direct=direct), *rules.chains, *sound_chains(_unjudged(generation)), _ingress(attach))
    names = [counter(Action.PASS, Reason.NOT_IP), *(counter(Action.DROP, each) for each in MALFORMED), *_decided()]
    body = "".join((*map(_declared, names), NETDEV.declared, *rules.declared, *map(str, chains)))
    table = f"netdev {table_name(generation)}"
    return TableText(table, body, NETDEV.filled(table))


def drops_script(generation: int, *, direct: bool) -> str:
    """What makes a netdev table that was staged for a generation drop by itself, or only stamp, from one packet to the next."""
    table = f"netdev {table_name(generation)}"
    chains = [chain for chain in _stamps(generation, direct=direct) if chain.name.endswith(f"_{Action.DROP.value}")]
    lines = [only_rules(Hook(table, chain.name, ""), *chain.rules) for chain in chains]
    return under_generation("".join(lines), generation)


def remove_table(generation: int) -> str:
    """The commands that remove the netdev table of a generation, whether there is one or not."""
    name = table_name(generation)
    return f"add table netdev {name}\ndelete table netdev {name}\n"


def output_chains(policy: Policy, attach: Attach) -> str:
    """What `table inet twinwall` needs to judge what a host sends: counters, sets, maps and chains, named `stateless_…`.

    The set of `render.ready` and its counter belong to the table.
    """
    rules = rule_chains(policy, prefix=OUTPUT, outgoing=True)
    chains = (*_output_ends(), *rules.chains, _output(attach))
    return "".join((*map(_declared, _decided()), *rules.declared, *map(str, chains)))


def _ingress(attach: Attach) -> Chain:
    """Nothing falls through; and a chain policy of `drop` would be in force before the rest of the transaction is."""
    devices = ", ".join(f'"{each}"' for each in attach.interfaces)
    hook = f"type filter hook ingress devices = {{ {devices} }} priority {PRIORITY}; policy accept;"
    return Chain("ingress", (hook, *link_rules()))


def _unjudged(generation: int) -> str:
    """Go on without a stamp, whoever left one in this slot: dropped by the ruleset that reads it, if one does already."""
    return f"meta mark set meta mark & {STAMPS & ~(STAMP_MASK << STAMP_SHIFTS[slot(generation)]):#x} accept"


def _stamps(generation: int, *, direct: bool) -> Iterator[Chain]:
    """Every verdict ends in its slot's stamp; the other slot's stamp stays."""
    shift = STAMP_SHIFTS[slot(generation)]
    others = STAMPS & ~(STAMP_MASK << shift)
    ends = {action: f"meta mark set meta mark & {others:#x} | {stamp << shift:#x} accept" for action, stamp in STAMP_OF.items()}
    if direct:
        ends[Action.DROP] = "drop"
    return _ends(ends)


def _output_ends() -> Iterator[Chain]:
    """Here nothing has to be remembered but a pass: the packet is on its way to the tracker."""
    passed = f"meta mark set {STATELESS_PASS:#x} notrack accept"
    return _ends({Action.PASS: passed, Action.DROP: "drop", Action.FORWARD: "meta mark set 0 accept"}, OUTPUT)


def _ends(ends: Mapping[Action, str], prefix: str = "") -> Iterator[Chain]:
    """Where a default, and where a rule of each action, ends."""
    for action, end in ends.items():
        yield Chain(f"{prefix}say_{action.value}", (end,))
        yield Chain(f"{prefix}rule_{action.value}", (f"{counted(action, Reason.STATELESS_RULE)} {end}",))


def _output(attach: Attach) -> Chain:
    """A host's own packets are well-formed; they are whole too, unless a program wrote the IP header itself.

    The answer of a reject is the kernel's own and part of the verdict: no rule is asked, and the tracker must not take the
    answer to an INVALID packet for one of the connection's packets: not even on its way to a program of the host, over `lo`.
    A program cannot pass for it: what it sends has a user.
    """
    devices = ", ".join(f'"{each}"' for each in attach.interfaces)
    return Chain(
        f"{OUTPUT}output",
        (
            f"type filter hook output priority {PRIORITY}; policy accept;",
            f"meta mark {REJECTED:#x} meta skuid {NOBODY} meta mark set 0",
            f"meta mark {REJECTED:#x} notrack accept",
            f"oifname != {{ {devices} }} accept",
            INET.guard,
            f"ip frag-off & 0x1fff != 0 {mark(LATER)} goto {OUTPUT}bare4",
            f"frag frag-off != 0 {mark(LATER)} goto {OUTPUT}bare6",
            mark(WHOLE),
            f"ip frag-off & 0x2000 != 0 {mark(FIRST)}",
            f"frag more-fragments 1 {mark(FIRST)}",
            f"meta nfproto vmap {{ ipv4 : goto {OUTPUT}rules4, ipv6 : goto {OUTPUT}rules6 }}",
        ),
    )


def _decided() -> Iterator[str]:
    """The counters of what rules and defaults decide."""
    return (counter(action, reason) for reason in DECIDED for action in ACTIONS)


def _declared(name: str) -> str:
    return f"\tcounter {name} {{\n\t}}\n"
