"""The two engines wired together, what they answer, and explanations.

Packet-path code: `pipeline` (a frame's whole way), `decision` (its outcome), `emission` (what is ready), `talkers`.
Around it: `engine` (one run), `machine` (who executes: the processor or CPython), `desk` (settings and counts as words),
`counters` and `batch` (what comes out).

Explanations: `recorder` runs one packet and listens, `story` makes sentences (`wording`, `row_wording`; `fit` says why a rule
does not match), `story_data` says them as data.  Packets in words: `spoken` (what a packet is, and the grammar),
`spoken_parser` with `spoken_items`, `vocabulary` and `spoken_error`, `spoken_frame` (onto the wire), `conversation`.
"""
