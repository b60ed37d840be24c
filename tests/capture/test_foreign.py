import struct

import pytest

from tests.capture import forge
from tests.capture.reading import read_bytes
from twinwall.capture.foreign import describe

ERF = struct.pack("<QBB", 1_700_000_000 << 32, 2, 4) + struct.pack(">HHH", 80, 0, 60) + bytes(64)
LOOKS = {
    "empty": (b"", "is empty"),
    "zip": (b"PK\x03\x04rest", "zip"),
    "bzip2": (b"BZh91AY&SY", "bzip2"),
    "snoop": (b"snoop\0\0\0\0\0\0\2", "snoop"),
    "erf": (ERF, "ERF"),
    "text": ("Grüße\nfrom a text\tfile\n".encode(), "text file"),
    "text cut inside a character": (("ü" * 300).encode()[:511], "text file"),
    "tar": (b"name" + bytes(253) + b"ustar\0", "tar"),
    "zeros": (bytes(600), "zeros"),
    "unprintable letters": ("\u0557\u200b".encode(), "begins with d5 97"),
    "noise": (b"\x99\xfe\x80\x01" * 40, "99 fe 80 01"),
    "gzip in gzip": (b"\x1f\x8b\x08\x00", "gzip"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_foreign_file_is_told_by_its_looks(name):
    head, expected = LOOKS[name]
    guess = describe(head)
    assert expected in guess.cause
    assert guess.remedy


@pytest.mark.parametrize("name", [name for name in LOOKS if not name.startswith("gzip")])
def test_a_reader_refuses_it_with_path_offset_and_remedy(tmp_path, name):
    outcome = read_bytes(tmp_path, LOOKS[name][0])
    assert outcome.packets == []
    assert outcome.error.offset == 0
    assert LOOKS[name][1] in outcome.error.cause
    assert str(tmp_path) in str(outcome.error)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_beginning_of_a_magic_is_a_cut_capture(tmp_path, length):
    assert "ends inside" in read_bytes(tmp_path, forge.pcap_header()[:length]).error.cause
