"""What the machine can do, asked without changing anything."""

from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import nft, probe
from twinwall.live.error import EnforcementError
from twinwall.live.probe import QUESTIONS, Answer, probe_interfaces

namespace = pytest.fixture(in_namespace)


@pytest.mark.kernel
def test_every_question_has_an_answer(namespace):
    found = {each.name: each for each in probe.probe()}
    assert list(found) == [name for name, _, _ in QUESTIONS]
    assert found["privilege CAP_NET_ADMIN"].answer is Answer.YES
    assert found["nftables netdev chains"].answer is Answer.YES
    for each in found.values():
        assert bool(each.otherwise) == (each.answer is not Answer.YES), each
        assert each.answer is Answer.YES or each.seen, "a no says what was seen"


@pytest.mark.kernel
def test_asking_leaves_nothing_behind(namespace):
    before = namespace.run("nft", "list", "ruleset") + namespace.run("ip", "-d", "link")
    probe.probe()
    assert namespace.run("nft", "list", "ruleset") + namespace.run("ip", "-d", "link") == before


@pytest.mark.kernel
def test_interfaces_say_how_they_run_xdp(namespace):
    namespace.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    namespace.run("ip", "link", "add", "tun0", "type", "bridge")
    driver, generic, missing = probe_interfaces(["in0", "tun0", "gone0"])
    assert (driver.answer, driver.seen) == (Answer.YES, "in the driver")
    assert generic.answer is Answer.YES
    assert "generic" in generic.seen
    assert (missing.answer, missing.name) == (Answer.NO, "XDP on gone0")


def test_without_nft_the_remedy_is_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.name: each for each in probe.probe()}
    assert found[f"nft {probe.OLDEST_NFT} or newer"].answer is Answer.UNKNOWN
    assert found[f"nft {probe.OLDEST_NFT} or newer"].otherwise.startswith("install nftables")
    assert found["nftables netdev chains"].answer is Answer.UNKNOWN


def test_an_old_nft_is_not_enough(monkeypatch):
    monkeypatch.setattr(nft, "version", lambda: (0, 9, 8))
    found = {each.name: each for each in probe.probe()}
    assert found[f"nft {probe.OLDEST_NFT} or newer"].answer is Answer.NO
    assert found[f"nft {probe.OLDEST_NFT} or newer"].seen == "0.9.8"


def test_where_interfaces_cannot_be_listed_nothing_is_claimed(monkeypatch):
    def refuse():
        raise EnforcementError("list", "not permitted", "run as root")

    monkeypatch.setattr(probe, "links", refuse)
    (found,) = probe_interfaces(["wan0"])
    assert (found.answer, found.otherwise) == (Answer.UNKNOWN, "run as root")
