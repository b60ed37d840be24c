from twinwall.capture.batch import NEVER, Totals


def test_totals_add_up_and_keep_the_extremes():
    one = Totals(1, 2, 3, 4, 5, 6, earliest=10, latest=20)
    assert one + Totals() == one
    assert one + Totals(1, 1, 1, 1, 1, 1, earliest=5, latest=15) == Totals(2, 3, 4, 5, 6, 7, earliest=5, latest=20)
    assert (Totals().earliest, Totals().latest) == (NEVER, 0)
