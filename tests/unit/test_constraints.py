"""The versions that `constraints.txt` names, by what is installed of them."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"


def test_each_version_is_for_every_release_of_the_pythons_that_are_supported():
    """Debian 12 has Python 3.11.2: what asks for 3.11.5 cannot be installed there."""
    refused = {}
    for line in CONSTRAINTS.read_text().split():
        wanted = Requirement(line)
        try:
            installed = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # of another system, or of an option that was not asked for
        assert wanted.specifier.contains(installed.version, prereleases=True), (
            f"run `make install-dev`: {line}"
        )
        pythons = SpecifierSet(installed.metadata.get("Requires-Python") or "")
        if not (pythons.contains("3.11.0") and pythons.contains("3.12.0")):
            refused[line] = str(pythons)
    assert refused == {}
