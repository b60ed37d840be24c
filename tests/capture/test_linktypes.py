from twinwall.capture.linktypes import LINK_OF_TYPE, link_of_type
from twinwall.path.layout import LINK_ETHERNET, LINK_RAW, LINK_SLL2, LINK_UNSUPPORTED


def test_known_types_and_the_rest():
    assert [link_of_type(number) for number in (1, 101, 228, 229, 276)] == [LINK_ETHERNET, *[LINK_RAW] * 3, LINK_SLL2]
    assert {link_of_type(number) for number in range(1000) if number not in LINK_OF_TYPE} == {LINK_UNSUPPORTED}
