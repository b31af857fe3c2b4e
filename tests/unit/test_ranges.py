"""Which bytes a `Range` header asks for."""

import pytest

from retrieval.ranges import OutOfRange, part


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=10-19", 10, 19),
        ("bytes=10-", 10, 99),
        ("bytes=10-1000000000000000000", 10, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-1000", 0, 99),
        ("Bytes= 10-19 ", 10, 19),
    ],
)
def test_a_part(wanted, first, last):
    assert part(wanted, 100) == range(first, last + 1)


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=٣-٤"],
)
def test_what_is_no_single_part_is_all_of_it(wanted):
    assert part(wanted, 100) is None


@pytest.mark.parametrize(("wanted", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0)])
def test_what_lies_beyond_the_end(wanted, size):
    with pytest.raises(OutOfRange):
        part(wanted, size)
