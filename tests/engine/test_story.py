from __future__ import annotations

from tests.engine.world import World, raw, stateful
from twinwall.engine.story import verdict_word

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"


def test_sections_come_in_order_and_end_in_the_reason():
    story = World(stateful('drop tcp any any -> any 443 (msg:"web"; flow:to_server; sid:7;)')).story(SYN)
    sections = list(dict.fromkeys(line.section for line in story.lines))
    assert sections == ["decoded", "stateless", "tracker", "stateful", "verdict", "reason", "flow"]
    assert story.verdict == "drop"
    assert story.rule.sid == 7


def test_the_handshake_in_sentences():
    world = World("")
    assert (
        "tracker: SYN in original direction: the table leads from NONE to SYN_SENT; the client opens a connection"
        in world.text(SYN)
    )
    assert "the label is ESTABLISHED, reply direction" in world.text("< S.")
    text = world.text("> .")
    assert "flow: SYN_RECV -> ESTABLISHED; ends in 432000 s if nothing more comes" in text
    assert "assured" in text


def test_a_stateless_rule_decides_alone():
    story = World('stateless:\n  rules: |\n    drop tcp any any -> any 443 (msg:"no web"; sid:9;)\n').story(SYN)
    texts = [(line.section, line.text) for line in story.lines]
    assert ("stateless", 'rule 9 "no web" is the first that matches') in texts
    assert ("verdict", 'drop by stateless rule 9 "no web"') in texts
    assert not any(section in ("tracker", "stateful") for section, _ in texts)


def test_rules_that_come_near():
    world = World(
        "stateless:\n  rules: |\n    drop tcp any any -> any 444 (sid:9;)\n    drop udp any any -> any 445 (sid:8;)\n"
    )
    text = world.text(SYN)
    assert "rule 9 would match but for destination port 443" in text
    assert "rule 8" not in text, "two things keep it away"


def test_candidates_say_what_they_fail_on():
    text = World(stateful("drop tcp any any -> any 443 (flow:established; sid:7;)")).text(SYN)
    assert "rule 7 does not match: flow is not established" in text


def test_conditions_beyond_the_tables():
    rules = """
        alert tcp any any -> any 443 (ttl:<5; sid:1;)
        alert tcp any any -> any 443 (flowbits:isset,a; sid:2;)
        alert tcp any any -> any 443 (flowbits:isnotset,b|a; flowbits:set,a; flowbits:set,b; sid:3;)
    """
    text = World(stateful(rules)).text(SYN)
    assert "rule 1 fits the header, but not this condition: TTL 64, not 0-4" in text
    assert "rule 2 fits the header, but not this condition: flowbits:isset,a" in text
    assert "rule 3 matches" in text
    assert "flowbits set: a" in text
    assert "flowbits:isnotset,b|a" in World(stateful(rules)).text(SYN, "> S")


def test_the_flows_verdict_stays():
    world = World(stateful("drop tcp any any -> any 443 (sid:7;)"))
    first = world.text(SYN)
    assert "the verdict of rule 7 holds for the whole flow" in first
    assert "drop by stateful rule 7, for the whole flow" in first
    assert "flow: its further packets: drop, by rule 7" in first
    assert "the flow was decided before: drop" in world.text("> S")


def test_a_default_action_is_a_rule_that_nobody_wrote():
    text = World("stateful: {order: strict, default: [drop_strict]}\n").text(SYN)
    assert 'default action 2 "aws:drop_strict action" (implied, not written) applies' in text


def test_a_reject_says_what_it_sends():
    rules = "reject ip any any -> any any (sid:1;)"
    assert "sends: a TCP reset" in World(stateful(rules)).text(SYN)
    assert "sends: an ICMP destination unreachable" in World(stateful(rules)).text("udp 10.0.0.5:1 > 198.51.100.7:2")
    assert "sends: an ICMPv6 destination unreachable" in World(stateful(rules)).text("udp [::5]:1 > [::7]:2")
    assert "sends: nothing" in World(stateful(rules)).text("icmp6 ::5 > ::7 echo-request")


def test_why_the_tracker_calls_a_packet_invalid():
    world = World("stateful: {midstream: continue, invalid: continue}\n")
    assert "no connection has these ends, and such a segment cannot begin one" in world.text(SYN + "F")
    assert "it belongs to no flow" in world.text("icmp 10.0.0.5 > 198.51.100.7 echo-reply")
    world.say(SYN, "< S.", "> .")
    assert "seq 99999999 ack 5001 lies outside what the other side expects" in world.text("> . seq 99999999")
    assert "the table calls it invalid in ESTABLISHED; the server does not send this" in world.text("> S.")


def test_fragments():
    world = World("")
    assert world.story("udp 10.0.0.5:1 > 198.51.100.7:2 len 40 frag 0+").verdict == "pending"
    text = world.text("> frag 48 len 40")
    assert "fragments: the last piece that was missing" in text
    assert "udp 10.0.0.5:1 > 198.51.100.7:2, put together from fragments" in text


def test_a_flow_that_ended():
    world = World("")
    text = world.text(SYN, "< S.", "> S after 10m")
    assert "an older flow ended: tcp 10.0.0.5:40000 > 198.51.100.7:443, its time was up" in text


def test_malformed_packets_have_a_reason_too():
    world = World("")
    account = world.send(bytes(raw(SYN)[:19]))
    assert verdict_word(account) == "drop"
    lines = world.teller.tell(account, "cut").lines
    assert lines[0].text == "truncated_ip: the frame ends inside the IP header"


def test_many_candidates_are_counted():
    rules = "\n".join(f"drop tcp any any -> any 443 (flow:established; sid:{sid};)" for sid in range(1, 13))
    assert "nor do 4 more" in World(stateful(rules)).text(SYN)


def test_several_rules_match_one_packet():
    rules = "drop tcp any any -> any 443 (sid:1;)\ndrop tcp any any -> any 443 (sid:2;)"
    text = World(stateful(rules)).text(SYN)
    assert "rule 1 decides the packet" in text
    assert "rule 2 covers the flow, but the flow was decided before" in text
    assert "rule 2 changes nothing: the packet is decided already" in text


def test_a_reset_that_the_endpoint_would_challenge():
    world = World("stateful: {invalid: continue}\n")
    world.say(SYN, "< S.", "> .", "< . len 10", "> .")
    text = world.text("> R seq 4000000000")
    assert "refused, because seq 4000000000 is not what the other side expects of a reset" in text
    assert "the label is INVALID" in text
    assert "still ESTABLISHED" in text
