"""The switches: their defaults are the readings that the guide describes."""

from pathlib import Path

from twinwall.formats.aws.options import AwsOptions, OtherFragments, Portless
from twinwall.policy.model import Exceptional


def test_defaults():
    options = AwsOptions()
    assert (options.home_net, dict(options.references)) == ((), {})
    assert (options.portless, options.other_fragments) == (Portless.NO_MATCH, OtherFragments.UNMATCHED)
    assert (options.midstream, options.invalid, options.domain_list_tail) == (None, Exceptional.DROP, False)


def test_every_switch_is_in_the_guide():
    guide = (Path(__file__).parents[3] / "docs" / "aws.md").read_text()
    assert all(f"`{name}`" in guide for name in AwsOptions.__dataclass_fields__)
