"""A table's comment, asked of the kernel; and how many transactions there were."""

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import nft
from twinwall.live.nft import Table
from twinwall.live.table_comment import comment, generation_number, table_comment

OURS = Table("inet", "twinwall")
namespace = pytest.fixture(in_namespace)


def test_user_data_is_kind_length_and_value():
    assert comment(b"") == ""
    assert comment(b"\x00\x06hello\x00") == "hello"
    assert comment(b"\x07\x02xx\x00\x03ab\x00") == "ab"
    assert comment(b"\x07\xffxx") == ""


@pytest.mark.kernel
def test_a_table_s_comment(namespace):
    assert table_comment(OURS) is None
    before = generation_number()
    nft.load('table inet twinwall {\n\tcomment "twinwall ab generation 3"\n}\n')
    assert table_comment(OURS) == "twinwall ab generation 3"
    assert generation_number() > before
    nft.load("table netdev twinwall_0\n")
    assert table_comment(Table("netdev", "twinwall_0")) == ""
