"""What rules ask beyond rows: every field against its value, fields that a packet has not got, and flowbits."""

from __future__ import annotations

import pytest

from tests.compile.generate import make_record, make_rule
from tests.path.conversation import ENTRY, PACKET, Conversation, stage
from twinwall.path import residual
from twinwall.path.layout import MARK_FRAGMENT, MARK_IP, MARK_LATER_FRAGMENT, MARK_TRANSPORT
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Action, Condition, FlowbitKind, FlowbitOption, PacketField

F = PacketField
PIECE = MARK_IP | MARK_FRAGMENT
LATER = PIECE | MARK_LATER_FRAGMENT


def which(record, *conditions):
    """Which of these conditions the packet meets; each is the only one of a rule."""
    return asked(Conversation(stage(*[rule_for(each) for each in conditions])), record)


def rule_for(condition):
    return make_rule(Action.ALERT, type=PACKET, conditions=(condition,))


def asked(talk, record):
    """The same as a flow's first packet."""
    talk.entry[:] = bytes(len(talk.entry))
    matching = {rule for rule, _ in talk.packet(record)[4]}
    return [rule in matching for rule in range(len(talk.compiled.stateful.rules))]


ICMP_MARKS = MARK_IP | MARK_TRANSPORT
FIELDS = [
    (F.TTL, {"ttl": 63}, 63),
    (F.TTL, {"ttl": 255, "version": 6, "marks": LATER}, 255),
    (F.TOS, {"tos": 0xB8}, 0xB8),
    (F.WINDOW, {"window": 65535}, 65535),
    (F.SEQ, {"seq": 0xFFFFFFFF}, 0xFFFFFFFF),
    (F.ACK, {"ack": 0xDEADBEEF}, 0xDEADBEEF),
    (F.IP_ID, {"ip_id": 65535}, 65535),
    (F.IP_OPTIONS, {"ipopts": 0x41}, 0x41),
    (F.FRAG_BITS, {"frag": 0x6123}, 0x6000),
    (F.FRAG_OFFSET, {"frag": 0x6123}, 0x0123),
    (F.FRAG_OFFSET, {"frag": 0x4005, "version": 6, "marks": LATER}, 5),
    (F.FRAG_OFFSET, {"frag": 0x4000, "version": 6, "extensions": 2}, 0),
    (F.ICMP_ID, {"icmp_id": 0xBEEF, "proto": 1, "icmp_type": 8}, 0xBEEF),
    (F.ICMP_ID, {"icmp_id": 0xBEEF, "proto": 58, "icmp_type": 129}, 0xBEEF),
    (F.ICMP_SEQ, {"icmp_seq": 0xCAFE, "proto": 1, "icmp_type": 0}, 0xCAFE),
    (F.PAYLOAD_LENGTH, {"payload_length": 1400}, 1400),
    (F.SAME_ADDRESS, {"src_lo": 9, "dst_lo": 9}, 1),
    (F.SAME_ADDRESS, {"src_lo": 9, "dst_lo": 9, "src_hi": 1}, 0),
    (F.SAME_ADDRESS, {"src_lo": 9, "dst_lo": 8}, 0),
]


@pytest.mark.parametrize(("field", "fields", "value"), FIELDS)
def test_a_field_is_compared_with_the_bounds_of_its_ranges(field, fields, value):
    another = value ^ 1
    matching = [
        Condition(field, ((value, value),)),
        Condition(field, ((another, another),), negated=True),
        Condition(field, ((another, another), (value, 0xFFFFFFFF))),
    ]
    others = [
        Condition(field, ((value, value),), negated=True),
        Condition(field, ((another, another),)),
        Condition(field, ((value + 1, 0xFFFFFFFF),) if value < 0xFFFFFFFF else ((0, 9),)),
        Condition(field, ((0, value - 1),) if value else ((1, 9),)),
    ]
    assert which(make_record(**fields), *matching, *others) == [True] * 3 + [False] * 4


ABSENT = [
    (F.TOS, {"version": 6}),
    (F.IP_ID, {"version": 6}),
    (F.IP_OPTIONS, {"version": 6}),
    (F.FRAG_BITS, {"version": 6}),
    (F.FRAG_OFFSET, {"version": 6}),
    (F.WINDOW, {"proto": 17}),
    (F.SEQ, {"proto": 132}),
    (F.ACK, {"marks": LATER}),
    (F.WINDOW, {"marks": PIECE}),  # a first piece that is too short
    (F.ICMP_ID, {"proto": 1, "icmp_type": 3}),
    (F.ICMP_ID, {"proto": 1, "icmp_type": 72}),  # 72 & 63 is an echo request
    (F.ICMP_SEQ, {"proto": 58, "icmp_type": 135}),
    (F.ICMP_SEQ, {"proto": 58, "icmp_type": 8}),
    (F.ICMP_ID, {"proto": 17, "icmp_type": 8}),
    (F.ICMP_ID, {"proto": 1, "icmp_type": 8, "marks": MARK_IP}),
    (F.PAYLOAD_LENGTH, {"marks": LATER}),
]


@pytest.mark.parametrize(("field", "fields"), ABSENT)
def test_a_field_that_the_packet_has_not_got_fails_negated_or_not(field, fields):
    everything = ((0, 0xFFFFFFFF),)
    conditions = [
        Condition(field, everything),
        Condition(field, everything, negated=True),
        Condition(field, ((77, 77),), negated=True),
    ]
    assert which(make_record(**fields), *conditions) == [False] * 3


@pytest.mark.parametrize(("proto", "queries"), [(1, {0, 8, 13, 14, 15, 16, 17, 18}), (58, {128, 129}), (17, set())])
def test_identifiers_are_those_of_queries(proto, queries):
    rules = [rule_for(Condition(field, ((0, 0),))) for field in (F.ICMP_ID, F.ICMP_SEQ)]
    talk = Conversation(stage(*rules))
    for kind in range(256):
        record = make_record(proto=proto, icmp_type=kind, marks=ICMP_MARKS)
        assert asked(talk, record) == [kind in queries] * 2, kind


LENGTHS = (0, 5, 8, 12, 16, 20)


def test_what_counts_as_payload():
    talk = Conversation(stage(*[rule_for(Condition(F.PAYLOAD_LENGTH, ((length, length),))) for length in LENGTHS]))
    for proto, kind, length, counted in [
        (6, 0, 5, 5), (17, 0, 5, 5), (132, 0, 5, 5),
        (1, 8, 5, 5), (1, 13, 20, 8), (1, 14, 12, 0), (1, 13, 11, 0), (1, 15, 20, 20),
        (58, 129, 20, 20), (58, 130, 20, 16), (58, 135, 3, 0), (58, 1, 20, 20),
        (50, 0, 20, 12), (50, 0, 8, 0), (50, 0, 7, 0),
        (47, 0, 20, 0), (89, 0, 20, 0), (136, 0, 20, 0),
    ]:  # fmt: skip
        record = make_record(proto=proto, icmp_type=kind, payload_length=length, marks=ICMP_MARKS)
        assert asked(talk, record) == [each == counted for each in LENGTHS], (proto, kind, length)


def test_a_mask_is_laid_over_the_value_first():
    conditions = [
        Condition(F.TOS, ((0b10100000, 0b10100000),), 0b11100000),
        Condition(F.TOS, ((0b10110100, 0b10110100),), 0b11100000),
    ]
    assert which(make_record(tos=0b10110100), *conditions) == [True, False]


def test_all_conditions_must_hold():
    both = (Condition(F.TTL, ((64, 64),)), Condition(F.WINDOW, ((5, 9),)))
    talk = Conversation(stage(make_rule(Action.ALERT, type=PACKET, conditions=both)))
    for ttl, window, expected in ((64, 5, True), (63, 5, False), (64, 4, False)):
        assert asked(talk, make_record(ttl=ttl, window=window)) == [expected]


# Flowbits.


def bits(kind, *names):
    return FlowbitOption(kind, names)


K = FlowbitKind


def heard(*options_by_rule, packets=3):
    """For each packet, which rules report; the rules are alerts on everything, with these flowbits."""
    rules = [make_rule(Action.ALERT, type=PACKET, flowbits=options) for options in options_by_rule]
    talk = Conversation(stage(*rules))
    return [[rule for rule, _ in talk.packet(make_record())[4]] for _ in range(packets)]


def test_a_bit_set_by_one_packet_is_seen_by_the_next():
    assert heard((bits(K.ISSET, "bit3"),), (bits(K.SET, "bit3"),)) == [[1], [0, 1], [0, 1]]


def test_a_bit_is_seen_by_later_rules_of_the_same_packet():
    assert heard((bits(K.SET, "bit3"),), (bits(K.ISSET, "bit3"),), packets=1) == [[0, 1]]


def test_isnotset_is_the_opposite():
    assert heard((bits(K.ISNOTSET, "bit3"),), (bits(K.SET, "bit3"),)) == [[0, 1], [1], [1]]


def test_unset_and_toggle():
    assert heard((bits(K.TOGGLE, "bit3"),), (bits(K.ISSET, "bit3"),), packets=4) == [[0, 1], [0], [0, 1], [0]]
    assert heard((bits(K.ISSET, "bit3"),), (bits(K.SET, "bit3"),), (bits(K.UNSET, "bit3"),)) == [[1, 2]] * 3


@pytest.mark.parametrize("name", ["bit0", "bit63", "bit64", "bit69"])
def test_bits_of_every_word_are_their_own(name):
    neighbours = [f"bit{number}" for number in (0, 1, 62, 63, 64, 65, 68, 69) if f"bit{number}" != name]
    asked = [(bits(K.ISSET, other),) for other in neighbours]
    assert heard((bits(K.SET, name),), (bits(K.ISSET, name),), *asked, packets=2) == [[0, 1], [0, 1]]


def test_several_names_are_alternatives():
    one_of = (bits(K.ISSET, "bit1", "bit2"),)
    one_missing = (bits(K.ISNOTSET, "bit1", "bit2"),)
    setters = [(bits(K.SET, "bit2"),), (bits(K.ISSET, "bit2"), bits(K.SET, "bit1"))]
    assert heard(one_of, one_missing, *setters) == [[1, 2, 3], [0, 2, 3], [0, 2, 3]]
    assert heard(one_of, one_missing, setters[0]) == [[1, 2], [0, 1, 2], [0, 1, 2]]


def test_a_rule_whose_test_fails_sets_nothing():
    only = (bits(K.ISSET, "bit9"), bits(K.SET, "bit3"))
    assert heard(only, (bits(K.ISSET, "bit3"),)) == [[], [], []]


def test_the_recorder_hears_which_condition_failed():
    condition = Condition(F.TTL, ((1, 2),), negated=True)
    talk = Conversation(stage(make_rule(Action.ALERT, type=PACKET, conditions=(condition,))))
    notes: list[tuple[int, int]] = []
    talk.packet(make_record(ttl=2), ENTRY, notes)
    failed = [value for event, value in notes if event == TraceEvent.TEST_FAILED]
    assert [(value >> 8 & 0xFF, value >> 16 & 1) for value in failed] == [(F.TTL, 1)]


@pytest.mark.parametrize("name", [name for name in vars(residual) if name.startswith("FIELD_")])
def test_field_numbers_are_the_policy_s(name):
    assert getattr(residual, name) == F[name.removeprefix("FIELD_")]
