"""`python -m benchmarks [profile …]`: every profile, one table, and what must hold."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from benchmarks import bed, checks, figures, outcome, profiles, trimming
from benchmarks.figures import Check
from benchmarks.outcome import Outcome
from benchmarks.profiles import Profile
from benchmarks.run import run
from benchmarks.servers import Simulated

QUICK = 20
"""A quick run asks so many times fewer questions: it shows that everything works, not how well."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    names = [profile.name for profile in profiles.ALL]
    parser.add_argument("profile", nargs="*", help=f"of: {', '.join(names)}, trimming. Default: all.")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: few questions, no verdicts on speed"
    )
    parser.add_argument("--json", type=Path, help="writes every check to this file, too")
    options = parser.parse_args()
    unknown = set(options.profile) - {*names, "trimming"}
    if unknown:
        parser.error(f"no such profile: {', '.join(sorted(unknown))}")
    chosen = [each for each in profiles.ALL if not options.profile or each.name in options.profile]
    if options.quick:
        chosen = [quick(profile) for profile in chosen]
    with bed.stores() as user:
        outcomes = asyncio.run(all_of(chosen, user))
    held = report(outcomes, options)
    return 0 if held else 1


def quick(profile: Profile) -> Profile:
    count = max(20, profile.count // QUICK)
    return replace(
        profile, count=count, warm=min(profile.warm, 5), baseline=min(profile.baseline, count // 2)
    )


async def all_of(chosen: Sequence[Profile], user: int) -> list[Outcome]:
    simulated = await Simulated.start()
    found = []
    try:
        for profile in chosen:
            print(f"{profile.name}: {profile.about} …", file=sys.stderr, flush=True)
            found.append(await run(profile, simulated, user))
    finally:
        await simulated.stop()
    return found


def report(outcomes: Sequence[Outcome], options: argparse.Namespace) -> bool:
    """Prints the table and the checks; whether all of them hold."""
    console = Console(width=250 if not sys.stdout.isatty() else None)
    for profile in outcomes:
        console.print(f"{profile.profile.name}: {profile.profile.about}")
    lines = [line for each in outcomes for line in outcome.rows(each)]
    figures.print_table("Seconds a reader waits", outcome.COLUMNS, lines, console)
    checked: list[Check] = []
    for each in outcomes:
        for message, count in each.errors.most_common(5):
            console.print(f"{each.profile.name}: logged {count} x {message}", markup=False)
        checked += checks.ends(each) if options.quick else checks.of(each)
    if not options.profile or "trimming" in options.profile:
        folder = bed.data_sets()
        if folder is None:
            console.print("trimming: left out, for the labelled sets are not here (set CITEFIRST_DATA)")
        elif not options.quick:
            checked += trimming.check(folder)
    figures.print_checks(checked, console)
    if options.json:
        options.json.write_text(json.dumps([asdict(check) for check in checked], indent=1))
    return all(check.passed for check in checked)


if __name__ == "__main__":
    sys.exit(main())
