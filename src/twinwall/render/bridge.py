"""What bridge mode needs beside the ruleset of the IP layer: `table bridge twinwall`, where a packet's port is known.

A bridge's packets reach the inet ruleset through br_netfilter, in the middle of the bridge's own hooks; there the incoming
interface is the bridge.  So the stamp is taken in front of it, and a packet that the stateful stage has to judge goes on with
the mark `BRIDGED`.  The judge takes the mark off; behind br_netfilter, a packet that still has it was not judged (its sysctls
say that bridged packets pass by) and is dropped.
"""

from __future__ import annotations

from twinwall.policy.model import Attach
from twinwall.render.chains import Chains
from twinwall.render.hooks import EARLY, STATEFUL, base, names, render_stamp
from twinwall.render.marks import BRIDGED
from twinwall.render.stateless_sound import TAGS
from twinwall.render.switch import TableText
from twinwall.render.verdicts import Ends, counters_text

TABLE = "bridge twinwall"
BEHIND = 300  # br_netfilter is at 0
IS_BRIDGED = f"meta mark & {BRIDGED:#010x} != 0x0"


def bridge_table(attach: Attach, generation: int) -> TableText:
    """The table."""
    chains = Chains()
    ends = Ends(chains, None)
    ours = names(attach)
    render_stamp(chains, ends, generation, forward=BRIDGED)
    kinds = ", ".join(f"{kind:#06x}" for kind in (0x0800, 0x86DD, *TAGS))  # what is not IP passes, stamped or not
    chains.add("early", [base("prerouting", EARLY), f"iifname {ours} meta protocol {{ {kinds} }} goto stamp"])
    unattached, unjudged = ends.counter("drop_unattached"), ends.counter("drop_unjudged")
    # What comes in through another port was judged by nobody; ARP is no business of ours.
    chains.add("ports", [base("forward", EARLY), f"iifname != {ours} oifname {ours} meta protocol != arp {unattached} drop"])
    chains.add("judged", [base("forward", BEHIND), f"{IS_BRIDGED} {unjudged} drop"])
    return TableText(TABLE, counters_text(ends) + chains.text())


def render_bridge_hooks(chains: Chains, ends: Ends, attach: Attach) -> None:
    """The inet side: every packet that the bridge's table sends on is judged, whatever interface it seems to come from.

    That is the bridge.  Where somebody has taken a port out of it, the port is named here, and nobody has judged the packet.
    """
    clear = f"meta mark set meta mark & {0xFFFFFFFF ^ BRIDGED:#010x}"
    unbridged = f"{ends.counter('drop_unbridged')} drop"
    ports = [f"{side} {names(attach)} {unbridged}" for side in ("iifname", "oifname")]
    chains.add("forward", [base("forward", STATEFUL), f"{IS_BRIDGED} {clear} goto judge", *ports])
