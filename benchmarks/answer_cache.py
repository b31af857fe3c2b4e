"""How often the answer cache's rule of sameness serves a pair of questions, and how often wrongly.

    python -m benchmarks.answer_cache

reads CITEFIRST_DATA/pairs (default ../shared/data) and prints, for each labelled set, the hits among pairs
that one answer may serve and the wrong hits among pairs that it may not, beside exact match."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from answering.caches.normalise import normal, same

SETS = ("policy_entity", "minimal_edits", "banking77", "qqp")
RULES: dict[str, Callable[[str, str], bool]] = {
    "exact": lambda a, b: normal(a) == normal(b),
    "signature": same,
}


def pairs(folder: Path) -> list[dict[str, str | int]]:
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


def share(hits: int, total: int) -> str:
    return f"{hits:>5} / {total:<5} {100 * hits / total:5.1f} %" if total else f"{'-':>22}"


def main() -> None:
    root = Path(os.environ.get("CITEFIRST_DATA", "../shared/data")) / "pairs"
    if not root.is_dir():
        raise SystemExit(f"No labelled pairs in {root}; set CITEFIRST_DATA.")
    print(f"{'set':<16}{'rule':<12}{'hits of same':>22}   {'wrong hits of different':>22}")
    for name in SETS:
        rows = pairs(root / name)
        for rule, serves in RULES.items():
            served = [(int(row["same"]), serves(str(row["a"]), str(row["b"]))) for row in rows]
            of_same = [hit for label, hit in served if label]
            of_other = [hit for label, hit in served if not label]
            counts = share(sum(of_same), len(of_same)), share(sum(of_other), len(of_other))
            print(f"{name:<16}{rule:<12}{counts[0]}   {counts[1]}")


if __name__ == "__main__":
    main()
