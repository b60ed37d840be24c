"""Connection tracking with the semantics of Linux's nf_conntrack.

- `tracker`: `track`, `track_hashed`, `settle`: a packet in, its label out; `label`: the answer's form
- `table`: `ConnectionTable`, which owns the memory and lets Python read it; `header` and `entry`: how the memory is laid out
- `chains`: finding, making, removing, evicting and sweeping entries; `record`: a flow's counters
- `tuples`, `siphash`: the five-tuple in both directions, and its keyed hash
- `machine`: which protocol's machine takes a packet; `outcome`: what a machine answers
- `tcp` (states, table), `tcp_step` (the rules around the table), `window`, `tcp_options`, `tcp_flags`, `sequence`
- `sctp` (states, table), `sctp_step` (chunks and tags); `udp`, `icmp`, `gre`, `generic`
- `related`: ICMP errors; `quote`: the packet they quote
"""
