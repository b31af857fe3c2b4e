import pytest

from qa_site.origin import same_origin

OURS = ["docs.example", "localhost", "[::1]"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://docs.example", "docs.example"),
        ("https://docs.example:443", "docs.example"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_page_of_ours_may_open_a_socket(origin, host):
    assert same_origin(origin, host, OURS)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "docs.example"),
        ("https://evil.example", "evil.example"),
        ("http://localhost:9000", "localhost:8000"),
        ("https://docs.example.evil.example", "docs.example"),
        ("null", "docs.example"),
        ("", "docs.example"),
        ("https://docs.example", ""),
    ],
)
def test_any_other_page_may_not(origin, host):
    assert not same_origin(origin, host, OURS)
