"""The control words of a running XDP program, written while it runs: one aligned 64-bit word at a time."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from twinwall.live.bpf_maps import MAPPABLE, ArrayMap
from twinwall.live.error import EnforcementError
from twinwall.targets.ebpf_entry import (
    CONTROL_DIGEST,
    CONTROL_GENERATION,
    CONTROL_INTERFACES,
    CONTROL_LAYOUT,
    CONTROL_NAMES,
    CONTROL_SEAL,
    CONTROL_SHIFT,
    CONTROL_SUCCESSOR,
    CONTROL_WORDS,
    INTERFACE_PLACES,
    INTERFACE_PROBES,
    LAYOUT,
    NAME_WORDS,
    NAMES,
    SEAL_MASK,
)

FLAGS = MAPPABLE
DIGEST_WORDS = 4
INDEX_MASK = 0xFFFFFFFF
SO_NETNS_COOKIE = 71
GOLDEN = 0x9E3779B97F4A7C15  # spreads consecutive cookies over the seal's bits


def namespace_seal() -> int:
    """What the stamps of this network namespace carry: a number that hardly any other namespace of this boot has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        cookie = int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
    return (cookie * GOLDEN >> 36) & SEAL_MASK


class Control:
    """One program's control map, mapped into this process."""

    def __init__(self, array: ArrayMap) -> None:
        if array.value_bytes < CONTROL_WORDS * 8:
            raise another_version()
        self._memory = array.mapped()
        self._words = (ctypes.c_uint64 * CONTROL_WORDS).from_buffer(self._memory)

    def close(self) -> None:
        """Give the memory back; a second time, nothing."""
        if not self._memory.closed:
            del self._words
            self._memory.close()

    def begin(self, generation: int, shift: int, seal: int, digest: bytes, names: Sequence[str] = ()) -> None:
        """Write what stays; `names` are the interfaces that rules name, from number 1."""
        for number, name in enumerate(names, 1):
            self._write(CONTROL_NAMES + NAME_WORDS * number, NAME_WORDS, name.encode())
        self._write(CONTROL_DIGEST, DIGEST_WORDS, digest)
        self._words[CONTROL_LAYOUT] = LAYOUT
        self._words[CONTROL_GENERATION] = generation
        self._words[CONTROL_SHIFT] = shift
        self._words[CONTROL_SEAL] = seal

    def _write(self, at: int, words: int, content: bytes) -> None:
        self._words[at : at + words] = list(struct.unpack(f"<{words}Q", content.ljust(8 * words, b"\0")))

    def check_layout(self) -> None:
        """Refuse a program whose maps this version cannot read."""
        if self._words[CONTROL_LAYOUT] != LAYOUT:
            raise another_version()

    @property
    def generation(self) -> int:
        """The policy's generation."""
        return int(self._words[CONTROL_GENERATION])

    @property
    def digest(self) -> bytes:
        """Which policy it is."""
        return struct.pack(f"<{DIGEST_WORDS}Q", *self._words[CONTROL_DIGEST : CONTROL_DIGEST + DIGEST_WORDS])

    @property
    def successor(self) -> bool:
        """Whether the program calls its successor."""
        return self._words[CONTROL_SUCCESSOR] != 0

    @successor.setter
    def successor(self, called: bool) -> None:
        self._words[CONTROL_SUCCESSOR] = int(called)

    def number(self, name: str) -> int:
        """The policy's number for an interface; 0: no rule names it."""
        wanted = struct.unpack(f"<{NAME_WORDS}Q", name.encode().ljust(8 * NAME_WORDS, b"\0"))
        places = range(1, NAMES)
        return next((each for each in places if tuple(self._name(each)) == wanted), 0)

    def _name(self, number: int) -> list[int]:
        start = CONTROL_NAMES + NAME_WORDS * number
        return self._words[start : start + NAME_WORDS]

    def know(self, index: int, number: int) -> None:
        """From now on the interface with this index is number `number` of the policy (0: rules do not name it)."""
        first = index % INTERFACE_PLACES
        places = range(CONTROL_INTERFACES + first, CONTROL_INTERFACES + first + INTERFACE_PROBES)
        same = [place for place in places if self._words[place] & INDEX_MASK == index]
        free = [place for place in places if self._words[place] == 0]
        if not same + free:
            cause = f"{INTERFACE_PROBES} other interfaces have an index that equals {index} modulo {INTERFACE_PLACES}"
            raise EnforcementError("attach XDP to an interface", cause, "make the interface anew: it then gets another index")
        self._words[(same + free)[0]] = index | number << 32

    def keep_only(self, indexes: AbstractSet[int]) -> None:
        """Forget interfaces that are gone: their places are needed when many come and go."""
        for place in range(CONTROL_INTERFACES, CONTROL_NAMES):
            if self._words[place] and self._words[place] & INDEX_MASK not in indexes:
                self._words[place] = 0


def another_version() -> EnforcementError:
    """What to say of a running program that another version has loaded."""
    cause = "the program that runs was loaded by another version of twinwall"
    return EnforcementError("read the running XDP stage", cause, "apply the policy again with this version")
