"""The kernel: the only package that makes system calls other than reading and writing files.

- `bpf`: maps, programs and test runs, through the bpf system call
"""
