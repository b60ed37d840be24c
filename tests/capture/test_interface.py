import pytest

from tests.capture import forge
from twinwall.capture.interface import Interface, parse_interface


def body(options: bytes, order: str = "<") -> bytes:
    return forge.interface(113, order, 96, options)[8:-4]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_options_that_matter_are_read_and_others_passed_over(order):
    options = forge.option(3, b"a description", order) + forge.option(2, b"eth0\0junk", order) + forge.option(9, b"\x89", order)
    options += forge.option(14, (-7).to_bytes(8, "big" if order == ">" else "little", signed=True), order)
    options += forge.option(0, b"", order) + forge.option(2, b"after the end", order)
    assert parse_interface(body(options, order), order) == Interface(113, 96, "eth0", 0x89, -7)


def test_without_options_the_clock_counts_microseconds():
    assert parse_interface(body(b""), "<") == Interface(113, 96, "", 6, 0)


def test_a_name_that_is_not_utf8_is_still_a_name():
    assert parse_interface(body(forge.option(2, b"eth\xff")), "<").name == "eth\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("options", [b"\x02\x00\x09\x00eth0", forge.option(9, b""), forge.option(14, b"1234")])
def test_a_contradiction_is_an_error(options):
    with pytest.raises(ValueError, match="option"):
        parse_interface(body(options), "<")
