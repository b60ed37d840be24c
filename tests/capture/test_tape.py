from twinwall.capture.tape import LAST_INTERFACE, InterfaceNames


def test_a_name_keeps_its_number_and_the_last_numbers_are_shared_with_none():
    names = InterfaceNames()
    assert [names.number(name) for name in ("lan0", "", "wan0", "lan0")] == [1, 0, 2, 1]
    numbers = [names.number(f"eth{number}") for number in range(300)]
    assert max(numbers) == LAST_INTERFACE
    assert numbers[-1] == 0
    assert names.names[1] == "lan0"
