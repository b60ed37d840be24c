from __future__ import annotations

from tests.engine.runs import START, batch_of, engine_of
from tests.packets import ethernet, ipv4, udp
from twinwall.engine.emission import NONE_WAITING, force_oldest, oldest_waiting
from twinwall.path.reason import Reason


def piece(ident):
    return ethernet(ipv4(udp(1, 2, bytes(24)), 17, frag=0x2000, ident=ident), 0x0800)


def test_the_oldest_waiting_packet_is_the_lowest_number_and_giving_up_goes_in_order():
    engine = engine_of(native=False)
    records, decisions, _, _, _, fragments, _, desk = engine._places
    assert oldest_waiting(fragments) == NONE_WAITING
    assert force_oldest(records, decisions, fragments, desk) == 0
    engine.feed(batch_of([piece(5), piece(4), piece(5)[:-8] + bytes(8)], START))
    assert oldest_waiting(fragments) == 1
    assert force_oldest(records, decisions, fragments, desk) >= 1
    assert engine.decisions["reason"][1] == Reason.FRAGMENT_INCOMPLETE
    assert oldest_waiting(fragments) == 2
    assert force_oldest(records, decisions, fragments, desk) == 1
    assert oldest_waiting(fragments) == NONE_WAITING
