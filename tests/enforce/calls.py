"""Which system calls may change something outside the process that makes them.

The table is of those that cannot, so that a forgotten one is tried in vain and not left out.  A process that is killed behind
one of these leaves what it would have left before it: what it has mapped, read and opened goes with it, wherever it ends.
`close` among them: who closes makes no difference to a lock, a socket, or a program that nothing else holds.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Callable, Sequence

KNOWN = platform.machine() == "x86_64"  # whose numbers these are; elsewhere every call counts
HARMLESS = {
    0: "read", 3: "close", 4: "stat", 5: "fstat", 6: "lstat", 7: "poll", 8: "lseek", 9: "mmap", 10: "mprotect", 11: "munmap",
    12: "brk", 13: "rt_sigaction", 14: "rt_sigprocmask", 15: "rt_sigreturn", 17: "pread64", 19: "readv", 21: "access",
    22: "pipe", 23: "select", 24: "sched_yield", 25: "mremap", 28: "madvise", 32: "dup", 33: "dup2", 35: "nanosleep",
    39: "getpid", 41: "socket", 42: "connect", 45: "recvfrom", 47: "recvmsg", 49: "bind", 51: "getsockname",
    52: "getpeername", 54: "setsockopt", 55: "getsockopt", 61: "wait4", 63: "uname", 72: "fcntl", 79: "getcwd",
    89: "readlink", 97: "getrlimit", 99: "sysinfo", 102: "getuid", 104: "getgid", 107: "geteuid", 108: "getegid",
    110: "getppid", 111: "getpgrp", 121: "getpgid", 124: "getsid", 131: "sigaltstack", 137: "statfs", 138: "fstatfs",
    158: "arch_prctl", 186: "gettid", 202: "futex", 204: "sched_getaffinity", 217: "getdents64", 218: "set_tid_address",
    228: "clock_gettime", 230: "clock_nanosleep", 232: "epoll_wait", 233: "epoll_ctl", 247: "waitid", 262: "newfstatat",
    267: "readlinkat", 269: "faccessat", 270: "pselect6", 271: "ppoll", 273: "set_robust_list", 281: "epoll_pwait",
    291: "epoll_create1", 292: "dup3", 293: "pipe2", 302: "prlimit64", 318: "getrandom", 319: "memfd_create",
    324: "membarrier", 332: "statx", 334: "rseq", 436: "close_range", 439: "faccessat2",
}  # fmt: skip
OTHERS = {
    1: "write", 16: "ioctl", 18: "pwrite64", 44: "sendto", 46: "sendmsg", 56: "clone", 57: "fork", 58: "vfork", 59: "execve",
    62: "kill", 73: "flock", 74: "fsync", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 112: "setsid", 165: "mount",
    231: "exit_group", 257: "openat", 321: "bpf", 435: "clone3",
}  # fmt: skip
NAMES = HARMLESS | OTHERS if KNOWN else {}

Arguments = Sequence[int]
Memory = Callable[[int, int], bytes]  # so many bytes of the process at a place

OUTPUT, ERRORS = 1, 2
LONGEST_PATH = 128  # to look at: those of programs are short
TCGETS = 0x5401  # Python asks it of every file that it opens
BPF_READS = frozenset({1, 4, 7, 11, 12, 13, 14, 15, 16, 24, 31})  # BPF_MAP_LOOKUP_ELEM, BPF_OBJ_GET, BPF_PROG_GET_NEXT_ID, …
NETLINK_HEADER = struct.Struct("=IH")
CONNTRACK, NF_TABLES = 1, 10
NF_TABLES_READS = frozenset({1, 4, 7, 10, 13, 16, 19, 23})  # NFT_MSG_GETTABLE, …
ROUTE_KINDS, ROUTE_READ = 4, 2  # RTM_GETLINK, …: every fourth


def _asks_netlink(arguments: Arguments, memory: Memory) -> bool:
    """Whether what is sent asks the kernel for something and changes nothing: one message alone, of the kind GET."""
    length, kind = NETLINK_HEADER.unpack(memory(arguments[1], NETLINK_HEADER.size))
    family, kind = kind >> 8, kind & 0xFF
    asks = {0: kind % ROUTE_KINDS == ROUTE_READ, CONNTRACK: kind == 1, NF_TABLES: kind in NF_TABLES_READS}
    return length == arguments[2] and asks.get(family, False)


def _only_reads(arguments: Arguments, _: Memory) -> bool:
    return not arguments[2] & (os.O_CREAT | os.O_TRUNC)


def _finds_no_program(arguments: Arguments, memory: Memory) -> bool:
    """Whether it is one of the tries along `PATH` that fail."""
    return not os.path.exists(memory(arguments[0], LONGEST_PATH).partition(b"\0")[0])


HARMLESS_IF: dict[int, Callable[[Arguments, Memory], bool]] = {
    1: lambda arguments, _: arguments[0] in (OUTPUT, ERRORS),
    16: lambda arguments, _: arguments[1] == TCGETS,
    44: _asks_netlink,
    59: _finds_no_program,
    257: _only_reads,
    321: lambda arguments, _: arguments[0] in BPF_READS,
}


def name_of(number: int) -> str:
    """What strace calls it."""
    return NAMES.get(number, f"call {number}")


def may_matter(number: int, arguments: Arguments, memory: Memory) -> bool:
    """Whether the call may change something outside the process."""
    if not KNOWN:
        return True
    harmless = HARMLESS_IF.get(number)
    return number not in HARMLESS and not (harmless and harmless(arguments, memory))
