"""The policy as an nftables ruleset: text that `nft -f` takes in one transaction.  Pure and deterministic.

- `marks`: what the bits of packet marks and connection marks mean, for everybody who writes or reads them.
- `stateless`: the stateless stage where XDP cannot run, and of what a host sends (`stateless_sound`, `stateless_rules`)
- `ready`: what is dropped until the kernel has filled a new ruleset's maps
- `nat`, `sysctls`: address translation, and kernel settings
- `unsupported`: what Linux cannot do, refused by name
"""
