"""What lies between packets and streams of bytes: IP reassembly.

- `fragments`: `defragment`, `expire`, `release` and the readers of a slot: all that the engine calls.
- `table`: `FragmentTable`, the memory.  `layout`: how it is laid out.
- `piece`: what one fragment says of itself.  `slots`: finding, opening, closing and freeing datagrams.
- `place`: putting bytes where they belong.  `overlap`: who wins where pieces overlap, as data.
- `datagram`: the whole packet that comes out.

`docs/fragments.md` explains the rules and how they compare with other systems.
"""
