"""Stateful header rules held against Suricata 7.0.10.

- `oracle` runs Suricata on a capture; `ours` runs twinwall; both answer with an `Observation`.
- `packets` builds IP packets, `conversations` the captures that rules are compared on.
- `differences` compares two observations and names the cause of each difference.
"""
