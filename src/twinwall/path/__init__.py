"""The packet path: plain functions over words that run interpreted, as machine code and as eBPF (docs/design/contracts.md).

- `primitives`: the one place where the three differ; `wire`: big-endian loads; `trace`: what a recorder hears
- `layout`: the decoded packet, the decision, the alert; `reason`: why a packet got its verdict
- `decode` (link and IP headers; `decode_all`: of many frames), `transport`, `details` (IPv4 options, SCTP chunks), `checksum`
- `table_layout`: a compiled stage; `lookup`: from a packet to its rows
- `classify`: the stateless stage; `judge`: decoding and that stage in one, as XDP runs it
- `evaluate`: the stateful rules; `candidates`, `residual`, `apply`: which rules, what else they ask, what they do
- `flow_state`: what rules and tracker tell each other about a flow
"""
