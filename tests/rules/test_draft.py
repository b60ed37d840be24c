from twinwall.rules.draft import Names


def test_names_are_numbered_in_order_of_appearance():
    names = Names(first=5)
    assert [names.number(name) for name in ("a", "b", "a", "c")] == [5, 6, 5, 7]
    assert (list(names), len(names)) == (["a", "b", "c"], 3)
