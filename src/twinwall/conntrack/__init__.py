"""Connection tracking with the semantics of Linux's nf_conntrack.

- `tracker`: `track`, `track_hashed`, `settle`: a packet in, its label out; `label`: the answer's form
- `table`: `ConnectionTable`, which owns the memory and lets Python read it; `header` and `entry`: how the memory is laid out
- `chains`: finding, making, removing, evicting and sweeping entries; `record`: a flow's counters
- `tuples`, `siphash`: the five-tuple in both directions, and its keyed hash
- `machine`: which protocol's machine takes a packet; `protocols`: the machines
- `related`: ICMP errors; `quote`: the packet they quote
"""
