"""The keyword records as a whole, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

from twinwall.path import layout
from twinwall.rules.keywords import ip, tcp
from twinwall.rules.protocols import PROTOCOLS, UNSUPPORTED_PROTOCOLS
from twinwall.rules.registry import ALL_KEYWORDS, KEYWORDS
from twinwall.rules.unsupported import UNSUPPORTED_KEYWORDS


def test_no_name_means_two_things():
    assert len(KEYWORDS) == sum(1 + len(keyword.aliases) for keyword in ALL_KEYWORDS)
    assert not UNSUPPORTED_KEYWORDS & KEYWORDS.keys()
    assert not UNSUPPORTED_PROTOCOLS & PROTOCOLS.keys()


def test_the_bits_are_those_of_the_packet_record():
    assert ip.FRAG_BITS == {"M": layout.FRAG_MORE, "D": layout.FRAG_DONT, "R": layout.FRAG_RESERVED}
    assert {name: getattr(layout, f"IPOPT_{name.upper()}") for name in ip.IP_OPTIONS} == ip.IP_OPTIONS
    assert sum(ip.IP_OPTIONS.values()) + layout.IPOPT_OTHER == ip.EVERY_OPTION
    names = {"F": "FIN", "S": "SYN", "R": "RST", "P": "PSH", "A": "ACK", "U": "URG", "E": "ECE", "C": "CWR"}
    assert {letter: getattr(layout, name) for letter, name in names.items()} == tcp.FLAG_BITS


def test_reading_policies_needs_no_array_library():
    program = "import sys, twinwall.rules.policy_file; print([name for name in ('numpy', 'numba') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
