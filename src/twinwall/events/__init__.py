"""What people and programs read of a replay.

- `sink`       an output file: complete or not there at all; the only module here that touches the disk
- `decisions`  one row a packet, CSV or Parquet (`--decisions`)
- `eve`        EVE JSON lines in Suricata 7's names and formats (`--eve`); its records: `alert`, `drop`, `flow`, `stats`
- `aws_log`    the same alerts and netflows in AWS Network Firewall's envelope (`--aws-log`)
- `reported`, `known_flow`  the same records of what the kernel reports while it enforces (`twinwall log`)
- `summary`    counts over the whole run, as data (`--json`) and, by `summary_text`, as tables
- `timestamp`, `address`, `protocol`  how the records spell instants, addresses and protocols

`docs/outputs.md` describes every output.
"""
