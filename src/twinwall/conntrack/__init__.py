"""Connection tracking with the semantics of Linux's nf_conntrack.

- `entry`, `header`: the memory of one entry, and of the table's first words
- `table`: `ConnectionTable`, which owns the memory and lets Python read it
- `tracker`: `track`, `settle`: a packet in, its label out
- `chains`: finding, making, removing, evicting and sweeping entries
- `tuples`, `siphash`: the five-tuple in both directions, and its keyed hash
- `tcp` (states and table), `tcp_step` (the rules around the table), `window`, `tcp_options`, `tcp_flags`, `sequence`
- `udp`, `icmp`, `generic`: the other protocols' machines; `outcome` is what a machine answers
"""
