"""`make bench` in its smoke form: one profile of each kind, through the real command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_benchmark_runs_and_every_question_ends(tmp_path):
    report = tmp_path / "checks.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json", str(report), "stall before", "redis gone"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "sequential" in done.stdout
    assert "oracle, as many calls" in done.stdout
    assert all(check["passed"] for check in json.loads(report.read_text()))
