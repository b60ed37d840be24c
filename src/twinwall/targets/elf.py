"""Reading the relocatable ELF object that LLVM's BPF back end emits: the program's instructions and where symbols go.

Only what such an object holds is read (ELF-64, little-endian, one program section, `SHT_REL`).  Source: the ELF
specification's gABI chapters 4 and 5, and the kernel's Documentation/bpf/llvm_reloc.rst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QQ")
SHT_SYMTAB, SHT_REL = 2, 9
R_BPF_64_64 = 1


@dataclass(frozen=True)
class Place:
    """A 16-byte load instruction that wants the address of `symbol`; `offset` is in bytes from the program's start."""

    offset: int
    symbol: str


@dataclass(frozen=True)
class ProgramCode:
    """One program: its instructions and the places to fill in before it can be loaded."""

    instructions: bytes
    places: tuple[Place, ...]


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    data: bytes
    link: int
    info: int


def read_program(image: bytes, section: str) -> ProgramCode:
    """The program in `section` of an object.  Raises `ValueError` where the object is not of the expected kind."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian ELF-64 object")
    sections = _sections(image)
    index = next((number for number, each in enumerate(sections) if each.name == section), None)
    if index is None:
        raise ValueError(f"the object has no section {section}")
    places = []
    for each in sections:
        if each.kind != SHT_REL or each.info != index:
            continue
        names = _symbol_names(sections, each.link)
        for at in range(0, len(each.data), RELOCATION.size):
            offset, info = RELOCATION.unpack_from(each.data, at)
            if info & 0xFFFFFFFF != R_BPF_64_64:
                raise ValueError(f"relocation of type {info & 0xFFFFFFFF} at {offset}: the program calls what is not inlined")
            places.append(Place(offset, names[info >> 32]))
    return ProgramCode(sections[index].data, tuple(places))


def _sections(image: bytes) -> list[_Section]:
    (table_at,) = struct.unpack_from("<Q", image, 40)
    size, count, names_index = struct.unpack_from("<HHH", image, 58)
    headers = [SECTION_HEADER.unpack_from(image, table_at + number * size) for number in range(count)]
    names = _content(image, headers[names_index])
    return [_Section(_text(names, header[0]), header[1], _content(image, header), header[6], header[7]) for header in headers]


def _content(image: bytes, header: tuple[int, ...]) -> bytes:
    return image[header[4] : header[4] + header[5]]


def _symbol_names(sections: list[_Section], table: int) -> list[str]:
    strings = sections[sections[table].link].data
    data = sections[table].data
    return [_text(strings, SYMBOL.unpack_from(data, at)[0]) for at in range(0, len(data), SYMBOL.size)]


def _text(strings: bytes, at: int) -> str:
    return strings[at : strings.index(b"\0", at)].decode()
