"""The policy as an nftables ruleset: text that `nft -f` takes in one transaction.  Pure and deterministic.

- `ruleset`, `options`: the whole, and what it depends on beside the policy
- `marks`: what the bits of packet marks and connection marks mean, for everybody who writes or reads them
- rules to elements: `classes`, `guards`, `payload`, `match`, `layers`, `parts`, `words`, `elements` (docs/design/rendering.md)
- a packet's way: `hooks`, `bridge`, `judge`, `fast`, `contexts`, `walk`, `hits`, `defaults`, `verdicts`; all in `chains`
- `stateless`: the stateless stage where XDP cannot run, and of what a host sends (`stateless_sound`, `stateless_rules`)
- `switch`: the pieces in which a ruleset takes the place of another one under traffic
- `ready`: what is dropped until the kernel has filled a new ruleset's maps
- `nat`, `sysctls`: address translation, and kernel settings
- `unsupported`: what Linux cannot do, refused by name
"""
