from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twinwall.rules.document import Scalar
from twinwall.rules.endpoints import read_address, read_ports, read_target
from twinwall.rules.located import Located
from twinwall.rules.values import Values


def read(reader, text: str):
    """The value (None if it is refused) and the codes of what was reported."""
    values = Values("f")
    return reader(values, Scalar(Located(text, "f"))), [str(each.code) for each in values.diagnostics]


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.20.0.80", "10.20.0.80", None),
        ("10.20.0.80:80", "10.20.0.80", 80),
        ("2001:db8::1", "2001:db8::1", None),
        ("2001:DB8:0::1", "2001:db8::1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ],
)
def test_an_address_with_a_port_or_without(text: str, address: str, port: int | None):
    target, codes = read(read_target, text)
    assert (str(target.address), target.port, codes) == (address, port, [])


@pytest.mark.parametrize("text", ["10.0.0.1:", "10.0.0.1:x", "10.0.0.1:65536", "10.0.0.1:+5", "[2001:db8::1]:", "10.0.0.1:٣"])
def test_what_is_no_port(text: str):
    assert read(read_target, text) == (None, ["bad-port"])


@pytest.mark.parametrize(
    "text", ["10.0.0", "10.0.0.0/8", "web", "[2001:db8::1", "2001:db8::1]", "::", "::1", "ff02::1", "fe80::1%a"]
)
def test_what_is_no_host(text: str):
    assert read(read_target, text) == (None, ["bad-address"])
    assert read(read_address, text) == (None, ["bad-address"])


@pytest.mark.parametrize(
    ("text", "ports"), [("1", (1, 1)), ("65535", (65535, 65535)), ("8000-8010", (8000, 8010)), ("1 - 2", (1, 2))]
)
def test_ports(text: str, ports: tuple[int, int]):
    assert read(read_ports, text) == (ports, [])


@pytest.mark.parametrize("reader", [read_address, read_target, read_ports])
@given(st.one_of(st.text("0123456789abf:.[]-%/ ", min_size=1, max_size=20), st.text(min_size=1, max_size=8)))
@example("1" * 5000)
@example("10.0.0.1:" + "1" * 5000)
@example("²")
def test_any_text_is_a_value_or_a_mistake(reader, text: str):
    value, codes = read(reader, text)
    assert (value is None) == (len(codes) >= 1)
