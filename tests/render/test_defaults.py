"""Default actions at the end of walks: for TCP by place, for everything else always; twins report first."""

from __future__ import annotations

from tests.render.rendering import chains_of, policy_of, text_of
from twinwall.render.classes import protocol_classes
from twinwall.render.contexts import ESTABLISHED
from twinwall.render.defaults import Tails


def tails_of(default: str) -> Tails:
    return Tails(None, None, None, policy_of(default=default))


def names(default: str, place: int, *, tcp: bool) -> list[str]:
    tcp_class, rest = protocol_classes(())
    return [each.rule.message.split(":")[1].split()[0] for _, each in tails_of(default).due(tcp_class if tcp else rest, place)]


def test_strict_is_for_every_packet():
    for place in (0, 1, ESTABLISHED, 10):
        assert names("drop_strict", place, tcp=True) == names("drop_strict", place, tcp=False) == ["drop_strict"]


def test_established_is_for_tcp_to_the_server_and_for_everything_else():
    assert names("drop_established", 0, tcp=True) == []
    assert names("drop_established", ESTABLISHED, tcp=True) == ["drop_established"]
    assert names("drop_established", ESTABLISHED | 1, tcp=True) == []
    assert names("drop_established", 0, tcp=False) == ["drop_established"]


def test_places_end_alike_if_the_same_defaults_are_due():
    tcp_class, rest = protocol_classes(())
    tails = tails_of("drop_established")
    assert tails.same(rest, 0, ESTABLISHED)
    assert not tails.same(tcp_class, 0, ESTABLISHED)


def test_a_twin_reports_what_it_drops_and_without_it_a_drop_is_silent():
    loud = chains_of(text_of(policy_of(default="drop_strict, alert_strict")))["tail"]
    silent = chains_of(text_of(policy_of(default="drop_strict")))["tail"]
    assert "jump report" in loud[-2]
    assert "jump report" not in silent[-2]
    assert loud[-1].endswith("goto drop_default_drop_strict")
    assert silent[-1].endswith("goto drop_default_drop_strict")


def test_alerts_alone_let_the_packet_pass():
    chains = chains_of(text_of(policy_of(default="alert_strict")))
    assert chains["tail"][0].endswith('jump report comment "aws:alert_strict action"')
    assert chains["tail"][-1] == "goto settle"
