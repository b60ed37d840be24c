"""From a policy to the flat tables that the packet path reads.  Pure and deterministic; needs NumPy, not Numba.

policy      both stages of a policy: `compile_policy`, the one entry
stateless   the stage that judges each packet alone
stateful    the stage that follows connections
defaults      its default actions as rules
residual      what its rules ask beyond header fields, as small programs
entries     rules as bits: a two-way rule is two
order       in which order the bits stand where they are searched
table       the sections of a table and its header
rows        sets of entries as rows of shared blocks
pages       long arrays of row numbers as shared pages
addresses, ports, kinds, contexts    the fields: from a value of the packet to a row
conditions  conditions on small fields, as the values they accept
limits      what is too large, and how that is said
describe    the sizes of a table
"""
