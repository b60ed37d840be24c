"""The stateless stage in nftables: for interfaces without XDP, and for what a host sends.

In front of the IP layer it is `table netdev twinwall_0` or `_1`, by the slot of the policy's generation (`render.marks`),
so that while one policy replaces another both can stamp every packet, as the XDP programs do; the inet ruleset reads the
slot of its own generation alone.  `stateless_table` with `direct=False` stamps what the policy drops and leaves the
dropping to the ruleset: so it may be loaded beside the policy in force.  With `direct=True` it drops by itself.

In host mode `output_chains` judge what the machine sends, in `table inet twinwall`, at the same place before tracking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twinwall.path.reason import Reason
from twinwall.policy.model import Action, Attach, Policy
from twinwall.render.marks import STAMP_MASK, STAMP_SHIFTS, STAMPS, STATELESS_PASS, Stamp, slot
from twinwall.render.stateless_rules import ACTIONS, rule_chains
from twinwall.render.stateless_sound import FIRST, LATER, MALFORMED, WHOLE, Chain, counter, link_rules, mark, sound_chains

PRIORITY = -450  # before fragments are put together, at -400
STAMP_OF = {Action.PASS: Stamp.PASS, Action.DROP: Stamp.DROP, Action.FORWARD: Stamp.FORWARD}
DECIDED = (Reason.STATELESS_RULE, Reason.STATELESS_DEFAULT, Reason.STATELESS_FRAGMENT_DEFAULT)
OUTPUT = "stateless_"  # how the names of the output chain's helpers begin, in the table that they share


def table_name(generation: int) -> str:
    """The netdev table of a generation."""
    return f"twinwall_{slot(generation)}"


def stateless_table(policy: Policy, attach: Attach, generation: int, *, direct: bool = True) -> str:
    """The netdev table, with the commands that replace an earlier one of the same slot.  Part of a transaction, or one."""
    name = table_name(generation)
    chains = (*_says(generation, direct=direct), *rule_chains(policy), *sound_chains(), _ingress(attach))
    counters = _counters((Reason.NOT_IP, *MALFORMED, *DECIDED))
    return (
        f"add table netdev {name}\ndelete table netdev {name}\n"
        f"table netdev {name} {{\n{counters}{''.join(map(str, chains))}}}\n"
    )


def remove_table(generation: int) -> str:
    """The commands that remove the netdev table of a generation, whether there is one or not."""
    name = table_name(generation)
    return f"add table netdev {name}\ndelete table netdev {name}\n"


def output_chains(policy: Policy, attach: Attach) -> str:
    """The chains of `table inet twinwall` that judge what a host sends, with their counters."""
    chains = [_renamed(each) for each in (*_output_says(), *rule_chains(policy, outgoing=True))]
    return _counters(DECIDED) + "".join(map(str, (*chains, *_output(attach))))


def _ingress(attach: Attach) -> Chain:
    """Nothing falls through; and a chain policy of `drop` would be in force before the rest of the transaction is."""
    devices = ", ".join(f'"{each}"' for each in attach.interfaces)
    hook = f"type filter hook ingress devices = {{ {devices} }} priority {PRIORITY}; policy accept;"
    return Chain("ingress", (hook, *link_rules()))


def _says(generation: int, *, direct: bool) -> Iterator[Chain]:
    """One chain for each action, and one for each action of a rule: write the stamp, leave the other slot's alone."""
    shift = STAMP_SHIFTS[slot(generation)]
    others = STAMPS & ~(STAMP_MASK << shift)
    for action in ACTIONS:
        stamp = f"meta mark set meta mark & {others:#x} | {STAMP_OF[action] << shift:#x} accept"
        end = "drop" if direct and action is Action.DROP else stamp
        yield from _action(action, end)


def _output_says() -> Iterator[Chain]:
    """Here nothing has to be remembered but a pass: the packet is on its way to the tracker."""
    ends = {
        Action.PASS: f"meta mark set {STATELESS_PASS:#x} notrack accept",
        Action.DROP: "drop",
        Action.FORWARD: "meta mark set 0 accept",
    }
    for action in ACTIONS:
        yield from _action(action, ends[action])


def _action(action: Action, end: str) -> Iterator[Chain]:
    """Where a default, and where a rule with this action, ends."""
    yield Chain(f"say_{action.value}", (end,))
    yield Chain(f"rule_{action.value}", (f"counter name {counter(Reason.STATELESS_RULE)} {end}",))


def _output(attach: Attach) -> Iterator[Chain]:
    """A host's own packets are well-formed; they are whole too, unless a program wrote the IP header itself."""
    devices = ", ".join(f'"{each}"' for each in attach.interfaces)
    yield Chain(
        "stateless_output",
        (
            f"type filter hook output priority {PRIORITY}; policy accept;",
            f"oifname != {{ {devices} }} accept",
            f"ip frag-off & 0x1fff != 0 {mark(LATER)} goto {OUTPUT}bare4",
            f"exthdr frag exists frag frag-off != 0 {mark(LATER)} goto {OUTPUT}bare6",
            mark(WHOLE),
            f"ip frag-off & 0x2000 != 0 {mark(FIRST)}",
            f"frag more-fragments 1 {mark(FIRST)}",
            f"meta nfproto vmap {{ ipv4 : goto {OUTPUT}rules4, ipv6 : goto {OUTPUT}rules6 }}",
        ),
    )


def _renamed(chain: Chain) -> Chain:
    rules = (each.replace("goto ", f"goto {OUTPUT}") for each in chain.rules)
    return Chain(OUTPUT + chain.name, tuple(rules))


def _counters(reasons: Iterable[Reason]) -> str:
    return "".join(f"\tcounter {counter(each)} {{ }}\n" for each in reasons)
