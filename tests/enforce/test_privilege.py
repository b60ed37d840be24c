"""Who may not change the network hears so first."""

import pytest

from twinwall.enforce.privilege import require_privileges
from twinwall.live.error import EnforcementError


@pytest.mark.parametrize("effective", ["0000000000000000", "ffffffffffffefff"])
def test_without_the_capability_it_is_refused_with_a_remedy(tmp_path, effective):
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapEff:\t{effective}\n")
    with pytest.raises(EnforcementError, match="may not administer") as caught:
        require_privileges(status)
    assert "root" in caught.value.remedy


def test_with_it_nothing_happens(tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapEff:\t0000000000001000\n")
    require_privileges(status)


def test_without_proc_it_is_refused(tmp_path):
    with pytest.raises(EnforcementError, match="No such file"):
        require_privileges(tmp_path / "status")
