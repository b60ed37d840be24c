from twinwall.rules.schema import KEYS, names_of


def test_every_key_stands_once_and_a_section_lists_its_own():
    assert len({(key.section, key.name) for key in KEYS}) == len(KEYS)
    for section in {key.section for key in KEYS}:
        assert names_of(section) == tuple(key.name for key in KEYS if key.section == section)
    assert names_of("no such section") == ()
    assert {"rules", "default", "order"} <= {key.name for key in KEYS}
