"""`python -m benchmarks [profile …]`: every profile, one table, and what must hold."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import bed, checks, figures, library, matrix, outcome, profiles, spans
from benchmarks.cells import every_pair, name_of, untrue
from benchmarks.environment import DATA
from benchmarks.figures import Check, at_most
from benchmarks.outcome import Outcome
from benchmarks.profiles import Profile
from benchmarks.run import run
from benchmarks.servers import Simulated
from benchmarks.watch import watched
from qa_site import places

FAULTS, TRIMMING = "faults", "trimming"
NAMES = [*(profile.name for profile in profiles.ALL), FAULTS, TRIMMING]
QUICK = 20
"""A quick run asks so many times fewer questions: it shows that everything works, not how well."""

STACKS = 4
"""Pipelines that go through the fault matrix side by side: most of a cell is waiting."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("profile", nargs="*", help=f"of: {', '.join(NAMES)}. Default: all.")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: few questions, no verdicts on speed"
    )
    parser.add_argument("--json", type=Path, help="writes every check to this file, too")
    options = parser.parse_args()
    if unknown := set(options.profile) - set(NAMES):
        parser.error(f"no such profile: {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    wanted = set(options.profile or NAMES)
    chosen = [each for each in profiles.ALL if each.name in wanted]
    if options.quick:
        chosen = [quick(profile) for profile in chosen]
    with bed.stores() as user:
        outcomes, checked = uvloop.run(measure(chosen, user, faults=FAULTS in wanted))
    checked += [check for each in outcomes for check in (checks.ends if options.quick else checks.of)(each)]
    if TRIMMING in wanted and (folder := bed.data_sets()) is not None and not options.quick:
        checked += spans.check(folder)
    report(outcomes, checked, time.monotonic() - begun)
    if options.json:
        options.json.write_text(json.dumps([asdict(check) for check in checked], indent=1))
    return 0 if all(check.passed for check in checked) else 1


def quick(profile: Profile) -> Profile:
    count = max(20, profile.count // QUICK)
    return replace(
        profile, count=count, warm=min(profile.warm, 5), baseline=min(profile.baseline, count // 2)
    )


async def measure(chosen: Sequence[Profile], user: int, *, faults: bool) -> tuple[list[Outcome], list[Check]]:
    cells = await fault_matrix(user) if faults else []
    simulated = await Simulated.start()
    found = []
    try:
        for profile in chosen:
            print(f"{profile.name}: {profile.about} …", file=sys.stderr, flush=True)
            found.append(await run(profile, simulated, user))
            for check in checks.of(found[-1]):  # the tables come at the end, and a quarter of an hour is long
                figure = f"{check.what}: {check.measured} ({check.wanted})"
                print(f"  {'pass' if check.passed else 'FAIL'}  {figure}", file=sys.stderr, flush=True)
    finally:
        await simulated.stop()
    return found, cells


async def fault_matrix(user: int) -> list[Check]:
    """Every pair of faults, on pipelines and servers of its own."""
    print("faults: each dependency ok, slow, failing, hanging, and every pair …", file=sys.stderr, flush=True)
    bed.forget()
    with watched():
        async with AsyncExitStack() as opened:
            stacks = [
                await opened.enter_async_context(
                    matrix.stack(user, places.socket_dir(DATA), places.DATABASE_NAME, DATA / "lexical")
                )
                for _ in range(STACKS)
            ]
            seen = await matrix.see_all(stacks, list(every_pair()), library.questions(matrix.TOPICS))
    wrong = {name_of(each.cell): problems for each in seen if (problems := untrue(each))}
    for name, problems in wrong.items():
        print(f"faults: {name}: {'; '.join(problems)}")
    return [at_most(FAULTS, f"cells without one true end in time, of {len(seen)}", len(wrong), 0)]


def report(outcomes: Sequence[Outcome], checked: Sequence[Check], seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else 260)
    for each in outcomes:
        console.print(f"{each.profile.name}: {each.profile.about}", markup=False)
    lines = [line for each in outcomes for line in outcome.rows(each)]
    if lines:
        figures.print_table("What a reader waits for", outcome.COLUMNS, lines, console)
    for each in outcomes:
        for message, count in each.errors.most_common(5):
            console.print(f"{each.profile.name}: logged {count} x {message}", markup=False)
    if bed.data_sets() is None:
        console.print("trimming: left out, for the labelled sets are not here (CITEFIRST_DATA)")
    figures.print_checks(checked, console)
    console.print(f"{seconds:.0f} s in all.")


if __name__ == "__main__":
    sys.exit(main())
