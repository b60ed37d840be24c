"""The policy as an nftables ruleset: text that `nft -f` takes in one transaction.  Pure and deterministic.

- `marks`: what the bits of packet marks and connection marks mean, for everybody who writes or reads them.
"""
