"""The metrics page is what Prometheus reads, and the files beside it name only what is on it."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from support import exposition

ROOT = pathlib.Path(__file__).resolve().parents[2]
# These appear only after something that a healthy service does not do.
RARE = {"belljar_runs_lost_total", "belljar_webhooks_total", "belljar_warden_restarts_total"}
# These only a gateway of a fleet has; tests/fleet reads them.
OF_A_FLEET = {
    "belljar_fleet_up", "belljar_fleet_workers", "belljar_fleet_running", "belljar_fleet_given_again",
    "belljar_fleet_redelivered", "belljar_fleet_oldest_waiting_seconds", "belljar_fleet_waiting",
}  # fmt: skip


def test_the_page_is_valid(metrics_page):
    families = exposition.read(metrics_page)
    assert families["belljar_runs_total"].type == "counter"
    assert families["belljar_phase_seconds"].type == "histogram"
    assert families["belljar_ready"].samples == {("belljar_ready", ()): 1.0}


def test_promtool_agrees(metrics_page):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=metrics_page, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_counts_what_was_done(metrics_page):
    families = exposition.read(metrics_page)
    runs = families["belljar_runs_total"].samples
    counted = {labels: value for (_, labels), value in runs.items()}
    assert counted[("language", "python"), ("status", "timeout")] == 1
    assert counted[("language", "c"), ("status", "runtime_error")] == 1
    denied = {dict(labels)["name"] for _, labels in families["belljar_denied_syscalls_total"].samples}
    assert "mount" in denied
    stages = {dict(labels)["stage"] for _, labels in families["belljar_phase_seconds"].samples}
    assert stages == {"compile", "run"}
    reasons = {dict(labels)["reason"] for _, labels in families["belljar_refusals_total"].samples}
    assert "key" in reasons


def test_nobody_outside_adds_series(service):
    def series():
        families = exposition.read(service.call("GET", "/metrics").body.decode())
        return {name for name, _ in families["belljar_http_requests_total"].samples}, len(
            families["belljar_http_requests_total"].samples
        )

    service.call("GET", "/nowhere/0")
    service.call("PATCH", "/nowhere/0")
    before = series()
    for number in range(20):
        service.call("GET", f"/nowhere/{number}")
        service.call(f"METHOD{number}", "/nowhere")
    assert series() == before


GOOD = """# HELP a_total Things.
# TYPE a_total counter
a_total{x="1"} 2
# HELP h Times.
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="+Inf"} 2
h_sum 3
h_count 2
"""


@pytest.mark.parametrize(
    "old, new",
    [
        ('a_total{x="1"} 2\n', 'a_total{x="1"} 2\na_total{x="1"} 3\n'),
        ('{x="1"}', '{x="1}'),
        ('{x="1"}', "{x=1}"),
        ('{x="1"}', '{x="1",x="2"}'),
        ("a_total", "a"),
        ("# TYPE a_total counter\n", ""),
        ("# HELP a_total Things.\n", ""),
        ("counter", "counters"),
        (' 2\n# HELP h', " two\n# HELP h"),
        ('h_bucket{le="+Inf"} 2\n', ""),
        ('h_bucket{le="+Inf"} 2\n', 'h_bucket{le="+Inf"} 0\n'),
        ("h_count 2", "h_count 3"),
        ("h_sum 3\n", ""),
        ("h_count 2\n", "h_count 2"),
    ],
)
def test_a_bad_page_is_found(old, new):
    assert set(exposition.read(GOOD)) == {"a_total", "h"}
    bad = GOOD.replace(old, new)
    assert bad != GOOD
    with pytest.raises(exposition.BadPage):
        exposition.read(bad)


def named_metrics(text):
    return set(re.findall(r"\bbelljar_[a-z_]+", text))


def on_page(page):
    names = set()
    for name, family in exposition.read(page).items():
        names |= {name} | {name + part for part in exposition.PARTS.get(family.type, ())}
    return names


def test_the_dashboard_names_only_what_is_there(metrics_page):
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [each["query"]["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    named = named_metrics(" ".join(queries + variables))
    assert len(named) >= 8
    assert named - on_page(metrics_page) <= RARE
    # A name that is nowhere in the sources is no rare one either.
    source = "".join(path.read_text() for path in (ROOT / "src").glob("**/*.cpp"))
    assert all(f'count("{name}"' in source for name in RARE)


def test_the_dashboards_labels_are_there(metrics_page):
    """A label by which a query groups is on the series that it reads."""
    families = exposition.read(metrics_page)
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    seen = 0
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            by = re.search(r"by \(([^)]*)\)", target["expr"])
            (name,) = named_metrics(target["expr"])
            family = families.get(re.sub(r"_(bucket|sum|count)$", "", name))
            if not by or family is None:
                continue
            labels = {label for _, pairs in family.samples for label, _ in pairs}
            assert {word.strip() for word in by[1].split(",")} <= labels, target["expr"]
            seen += 1
    assert seen >= 6


def test_the_dashboard_has_no_two_panels_in_one_place():
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len(set(ids)) == len(ids)


def test_the_scrape_example_asks_this_service(service):
    job = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"][0]
    path = job.get("metrics_path", "/metrics")
    assert service.call("GET", path).status == 200


def test_every_metric_is_in_the_document(metrics_page):
    page = (ROOT / "docs/service.md").read_text()
    for name, family in exposition.read(metrics_page).items():
        assert f"`{name}`" in page, f"docs/service.md does not name {name}"
        labels = {label for _, pairs in family.samples for label, _ in pairs} - {"le"}
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        assert {f"`{label}`" for label in labels} <= set(re.findall(r"`[a-z]+`", row)), row
    # And the other way round.
    named = {match for match in re.findall(r"^\| `(belljar_[a-z_]+)`", page, re.MULTILINE)}
    assert named - on_page(metrics_page) <= RARE | OF_A_FLEET
    assert named >= OF_A_FLEET
    source = (ROOT / "src/fleet/fleet_runner.cpp").read_text()
    assert all(f'"{name}"' in source for name in OF_A_FLEET)
