"""What a file that is no capture looks like, so that the error can say it."""

from __future__ import annotations

from typing import NamedTuple


class Foreign(NamedTuple):
    """A guess, and what to do."""

    cause: str
    remedy: str


CONVERT = "convert it with: editcap -F pcapng FILE NEW"
GIVE_CAPTURE = "give a pcap or pcapng file"

SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip file inside another compression", "decompress it once first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file inside another compression", "decompress it once first"),
    (b"\xfd7zXZ\0", "an xz file inside another compression", "decompress it once first"),
    (b"BZh", "a bzip2 file", "decompress it first: bunzip2"),
    (b"\x04\x22\x4d\x18", "an lz4 file", "decompress it first: unlz4"),
    (b"PK\x03\x04", "a zip archive", "extract the capture first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "extract the capture first"),
    (b"snoop\0\0\0", "a snoop capture", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"XCP\0", "a NetXRay capture", CONVERT),
    (b"TRSNIFF data", "a Sniffer capture", CONVERT),
    (b"\xaa\xaa\xaa\xaa", "a 5View capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth log (btsnoop)", GIVE_CAPTURE),
    (b"\x7fELF", "a program (ELF)", GIVE_CAPTURE),
    (b"SQLite format 3\0", "an SQLite database", GIVE_CAPTURE),
    (b"PAR1", "a Parquet file", GIVE_CAPTURE),
    (b"ARROW1", "an Arrow file", GIVE_CAPTURE),
    (b"%PDF", "a PDF", GIVE_CAPTURE),
    (b"\x89PNG", "a picture (PNG)", GIVE_CAPTURE),
)
TAR_MAGIC, TAR_AT = b"ustar", 257
ERF_HEADER = 16
ERF_TYPES = range(1, 49)
ERF_SECONDS = range(631_152_000, 4_102_444_800)  # 1990 to 2100
TEXT_CONTROLS = "\t\n\r\f\x1b"


def describe(head: bytes) -> Foreign:
    """A guess from the first bytes of the file (some hundred are enough)."""
    if not head:
        return Foreign("the file is empty", "capture again; tcpdump -w writes a header at once")
    for signature, name, remedy in SIGNATURES:
        if head.startswith(signature):
            return Foreign(f"not a pcap or pcapng file; it looks like {name}", remedy)
    if head[TAR_AT : TAR_AT + len(TAR_MAGIC)] == TAR_MAGIC:
        return Foreign("not a pcap or pcapng file; it looks like a tar archive", "extract the capture first")
    if _is_erf(head):
        return Foreign("not a pcap or pcapng file; it looks like an ERF capture", CONVERT)
    if _is_text(head):
        return Foreign("not a pcap or pcapng file; it looks like a text file", GIVE_CAPTURE)
    if not head.strip(b"\0"):
        return Foreign("not a pcap or pcapng file; it begins with zeros", "the file was allocated but never written")
    return Foreign(f"not a pcap or pcapng file; it begins with {head[:4].hex(' ')}", GIVE_CAPTURE)


def _is_erf(head: bytes) -> bool:
    """Endace's format has no signature: a plausible time, a known type, and a record longer than its header."""
    if len(head) < ERF_HEADER:
        return False
    seconds = int.from_bytes(head[4:8], "little")
    record = int.from_bytes(head[10:12], "big")
    return seconds in ERF_SECONDS and head[8] & 0x7F in ERF_TYPES and record > ERF_HEADER


def _is_text(head: bytes) -> bool:
    """UTF-8 (the last character may be cut) without control characters."""
    text = head.decode("utf-8", "ignore")
    if not text or len(text.encode()) < len(head) - 3:
        return False
    return all(character.isprintable() or character in TEXT_CONTROLS for character in text)
