"""The gateway that is measured: this process's own network namespace, between two others.

`in0` takes in the frames of `frames.receive`; what is forwarded leaves through `out0` to a neighbour that throws it away.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from twinwall.lab.places import Place

INSIDE, OUTSIDE = "in0", "out0"
SINK_MAC = "02:00:00:00:00:02"
SETUP = f"""
ip link set lo up
ip link set {INSIDE} address 02:00:00:00:00:01
ip addr add 10.1.0.1/16 dev {INSIDE}
ip addr add 10.2.0.1/16 dev {OUTSIDE}
ip link set {INSIDE} up
ip link set {OUTSIDE} up
ip route add 100.64.0.0/10 via 10.1.0.5
ip neigh add 10.1.0.5 lladdr 02:00:00:00:00:09 dev {INSIDE} nud permanent
ip neigh add 10.2.0.9 lladdr {SINK_MAC} dev {OUTSIDE} nud permanent
"""
SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/netfilter/nf_conntrack_checksum": "0",
}


def command(*words: str, text: str = "") -> str:
    """Run a program in the gateway's namespace; what it printed."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def build() -> tuple[Place, Place]:
    """The two places beside the gateway, joined to it.  Call it in a fresh network namespace."""
    places = []
    for name, far in ((INSIDE, "eth0"), (OUTSIDE, "eth0")):
        place = Place()
        namespace = f"/proc/{os.getpid()}/fd/{place.descriptor}"
        command("ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", namespace)
        place.run("ip", "link", "set", far, "up")
        places.append(place)
    for line in SETUP.strip().splitlines():
        command(*line.split())
    for name, value in SETTINGS.items():
        Path("/proc/sys", name).write_text(value)
    inside, outside = places
    # A native XDP program takes segmentation offload from a veth; no form shall have it, as no real wire has.
    switches = [word for name in ("tx", "tso", "gso", "gro") for word in (name, "off")]
    for name in (INSIDE, OUTSIDE):
        command("ethtool", "-K", name, *switches)
    for place in places:
        place.run("ethtool", "-K", "eth0", *switches)
    inside.run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:09")
    inside.run("ip", "addr", "add", "10.1.0.5/16", "dev", "eth0")
    inside.run("ip", "route", "add", "default", "via", "10.1.0.1")
    outside.run("ip", "link", "set", "eth0", "address", SINK_MAC)
    outside.run("ip", "addr", "add", "10.2.0.9/16", "dev", "eth0")
    outside.run("ip", "route", "add", "default", "via", "10.2.0.1")
    return inside, outside


def number_of(interface: str) -> int:
    """The kernel's number of an interface."""
    return socket.if_nametoindex(interface)


def clear_rules() -> None:
    """No rules of anybody, no connections."""
    command("nft", "flush", "ruleset")
    command("iptables-nft", "-t", "raw", "-F")
    command("nft", "flush", "ruleset")
    command("conntrack", "-F")
