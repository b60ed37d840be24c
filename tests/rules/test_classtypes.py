from twinwall.rules import classtypes


def test_every_class_has_a_description_and_a_priority():
    (table,) = [each for each in vars(classtypes).values() if isinstance(each, dict) and "trojan-activity" in each]
    assert len(table) > 30
    assert all(each.description and 1 <= each.priority <= 4 for each in table.values())
    assert table["trojan-activity"].priority == 1
