"""The keyword records, one file per family; `twinwall.rules.registry` puts them together.

- `meta`: what a rule says about itself (msg, sid, classtype, …).
- `ip`, `tcp`, `icmp`, `payload_size`: fields of the packet.
- `flow`: the connection the packet belongs to (flow, flowbits).
- `twinwall`: interface, fragment and inspect, which Suricata does not have.
"""
