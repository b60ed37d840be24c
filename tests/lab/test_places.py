"""Places: namespaces of the lab's own, and the programs that run in them."""

from __future__ import annotations

import os

import pytest

from tests.oracle.kernel import why_unavailable
from twinwall.lab.places import Place, execute, found, usable
from twinwall.live.error import EnforcementError


def namespace() -> str:
    return os.readlink("/proc/thread-self/ns/net")


@pytest.fixture
def place():
    if why_unavailable():
        pytest.skip(why_unavailable())
    made = Place()
    yield made
    os.close(made.descriptor)


@pytest.mark.kernel
def test_a_place_is_entered_and_left(place: Place):
    home = namespace()
    with place.entered():
        assert namespace() != home
    assert namespace() == home


@pytest.mark.kernel
def test_programs_run_in_it(place: Place):
    home = namespace()
    assert place.run("readlink", "/proc/self/ns/net").strip() != home
    place.run("ip", "link", "add", "only0", "type", "veth", "peer", "name", "far0")
    assert "only0" in place.run("ip", "-o", "link", "show", "only0")
    assert execute([found("ip"), "link", "show", "only0"]).returncode != 0


@pytest.mark.kernel
def test_a_program_that_fails_is_an_error_unless_it_may(place: Place):
    with pytest.raises(EnforcementError):
        place.run("ip", "link", "show", "nothing0")
    assert place.attempt(["ip", "link", "show", "nothing0"]).returncode != 0


def test_a_program_that_is_not_installed_is_named_with_the_remedy():
    with pytest.raises(EnforcementError) as caught:
        found("no-such-program")
    assert "no-such-program" in caught.value.cause
    assert "install" in caught.value.remedy


def test_addresses_of_a_family_that_the_kernel_lacks_are_left_out(monkeypatch):
    monkeypatch.setattr("twinwall.lab.places.has_ipv6", lambda: False)
    assert usable(["10.0.0.1", "2001:db8::1"]) == ["10.0.0.1"]
