"""The packet path compiled: the only package that knows Numba and LLVM.

- `numba_ir`: LLVM's intermediate language of a packet-path function; `bodies`: the primitives in that language
- `native`: machine code in memory, kept in a cache
- `ebpf`: a program for the kernel; `elf`: what LLVM's BPF back end writes
"""
