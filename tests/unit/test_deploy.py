"""The files of deploy/ and docker-compose.yml speak of things that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALERTS = (ROOT / "deploy/prometheus/alerts.yml").read_text()
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/citefirst.json").read_text())
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXPRESSIONS = [
    *re.findall(r"^ +expr: (?:>-\n)?(.+(?:\n {10}.+)*)", ALERTS, re.MULTILINE),
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())),
]


def series_in(expression):
    """Each series of an expression, with the labels that it is chosen or added up by."""
    for part in re.split(r" (?:and|/) ", expression):
        grouped = {label for group in re.findall(r"by \(([\w, ]+)\)", part) for label in group.split(", ")}
        for metric, braces in re.findall(r"\b(qa_\w+)(\{[^}]*\})?", part):
            yield metric, grouped | set(re.findall(r"(\w+)[=!]", braces))


def test_every_expression_is_found():
    assert len(EXPRESSIONS) == ALERTS.count("alert:") + json.dumps(DASHBOARD).count('"expr"')
    assert list(series_in('sum by (le, stage) (qa_a{outcome!="ok"}) and sum(qa_b) > 0')) == [
        ("qa_a", {"le", "stage", "outcome"}),
        ("qa_b", set()),
    ]


def documented_metrics():
    return set(re.findall(r"^\| `(qa_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))


def metrics_in(text):
    return {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"\bqa_\w+", text)}


def test_alerts_watch_metrics_that_exist():
    assert metrics_in(ALERTS) <= documented_metrics()


def test_the_dashboard_shows_metrics_that_exist():
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    assert metrics_in(shown) <= documented_metrics()
    assert metrics_in(shown) >= {"qa_usable_answer_seconds", "qa_stage_seconds", "qa_breaker_state"}


def test_the_compose_file_passes_every_setting_on():
    """But for those of `manage.py up`, of the image, and of developers."""
    table = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", table, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    passed = set(re.findall(r"^    ([A-Z_]+): ", COMPOSE, re.MULTILINE))
    assert documented - passed == {"DATA_DIR", "XDG_DATA_HOME", "WEB", "ADMIN_PASSWORD", "DEBUG"}


def test_the_compose_file_lets_its_own_parts_in_whatever_hosts_are_set():
    """The health check, and Prometheus by its target."""
    hosts = re.search(r"ALLOWED_HOSTS: \$\{[^}]*\},(.+)", COMPOSE)
    target = re.search(r"targets: \[\"(\w+):", (ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert hosts
    assert target
    assert set(hosts[1].split(",")) == {"127.0.0.1", target[1]}
    assert "http://127.0.0.1:8000/readyz" in COMPOSE


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(not PROMTOOL, reason="no promtool on PATH (Debian: prometheus)")
def test_the_alerts_go_off_when_they_should():
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", "alerts_test.yml"],
        cwd=ROOT / "deploy/prometheus",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
