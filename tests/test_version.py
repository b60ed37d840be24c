from importlib.metadata import version

import twinwall.version


def test_the_package_s_metadata_say_the_same():
    assert version("twinwall") == twinwall.version.__version__ == twinwall.__version__
