"""One machine for each protocol: what a packet does to its flow, and how long the flow lives after it.

- `outcome`: what a machine answers
- `tcp` (states, table), `tcp_step` (the rules around the table), `tcp_ack` (the short way for the usual segment),
  `window`, `tcp_options`, `tcp_flags`, `sequence`
- `sctp` (states, table), `sctp_step` (chunks and tags)
- `udp`, `icmp`, `gre`, `generic`: lifetimes without states

`conntrack.machine` chooses among them.
"""
