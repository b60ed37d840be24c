"""The kernel: the only package that makes system calls other than reading and writing files.

- `bpf`, `bpf_maps`, `bpf_programs`, `bpf_folder`: maps and programs, through the bpf system call
- `links`: interfaces, and what is attached to them
- `xdp`: the stateless stage as a program on interfaces; `xdp_control`, `xdp_maps`, `xdp_stamp`: its parts
- `xdp_rehearsal`: a running program asked about a packet that nobody sends
- `netlink`: attributes, requests, dumps, batches, subscriptions
- `conntrack`, `connection`, `connection_filter`: the tracker's connections; `nflog`: what rules report
- `nfqueue`, `queue_rule`: packets that wait for a decision, and how they get there
- `nft`: transactions through the nft program, our tables read back; `nft_counts`: what they have counted
- `nftrace`: what the kernel says of traced packets; `nft_rules`: the lines that it names; `owned_table`: tables of a process
- `netdev_hook`: which interfaces a netdev chain hangs on
- `sysctl`: kernel settings; `probe`: what the machine can do; `xdp_features`: which drivers run XDP
"""
