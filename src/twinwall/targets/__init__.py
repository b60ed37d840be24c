"""The packet path compiled: the only package that knows Numba and LLVM.

- `numba_ir`: LLVM's intermediate language of a packet-path function; `bodies`: the primitives in that language
- `native`: machine code in memory; `object_cache`: what was compiled once is found again
- `ebpf`: a program for the kernel; `ebpf_entry`: what it does around the packet path; `ebpf_loops`: how its loops end;
  `ebpf_stamp`: the program behind it; `elf`: what LLVM's BPF back end writes
"""
