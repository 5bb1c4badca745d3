"""Alert rules and dashboard ask for metrics, labels and values of labels that /metrics really has."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from tests.collector.api.test_metrics import Samples, beat, land, scraped

from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
WANTED = {"Dropped", "Backlog", "Gaps", "Skew", "Disk", "Store"}  # what must be watched at least
PROMETHEUS_OWN = {"up"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """What /metrics gives of a collector that has something of everything."""

    async def run() -> Samples:
        backend = await DirectBackend.open(CollectorConfig(data=tmp_path_factory.mktemp("collector") / "data"))
        backend.arrivals = {way: Counter(landed=1) for way in ("landing", "drop", "inbox")}
        backend.catalog.sensor_seen("s1", beat(1))
        land(backend, 1, 2, 5)
        row = backend.catalog.claim()
        assert row is not None
        backend.catalog.packets_removed(row.key, why="age")
        told, _ = await scraped(backend)
        await backend.close()
        return told

    return asyncio.run(run())


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Every PromQL expression of the rules and of the dashboard."""
    yield from (rule["expr"] for rule in rules())
    board = json.loads((FOLDER / "grafana.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in board["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((\w+), \w+\)", variable.get("definition", "")):
            yield found[1]


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """The metrics that an expression reads; raises where it is no PromQL."""
    found: list[promql_parser.VectorSelector] = []

    def see(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), see)
    return found


def test_every_metric_and_label_that_is_asked_for_exists(samples: Samples) -> None:
    labels: dict[str, dict[str, set[str]]] = {}
    for name, told in samples:
        for label, value in told:
            labels.setdefault(name, {}).setdefault(label, set()).add(value)
        labels.setdefault(name, {})
    asked = [each for expression in expressions() for each in selectors(expression)]
    assert len(asked) > 40
    wrong = [each.name for each in asked if each.name not in labels and each.name not in PROMETHEUS_OWN]
    assert wrong == []
    for each in asked:
        for matcher in each.matchers.matchers:
            if each.name in PROMETHEUS_OWN or matcher.value in ("$sensor", "failed", "unindexed"):
                continue  # chosen on the dashboard, or of chunks that are not here now
            values = labels[str(each.name)][matcher.name]
            assert any(re.fullmatch(matcher.value, value) for value in values), (each.name, matcher.name, matcher.value)


def test_rules_name_what_to_do_and_only_labels_that_their_metrics_have(samples: Samples) -> None:
    known = {label for _, told in samples for label, _ in told} | {"instance", "job"}
    names = " ".join(rule["alert"] for rule in rules())
    assert [each for each in WANTED if each not in names] == []
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert used <= known, rule["alert"]


def test_panels_do_not_overlap_and_have_one_datasource() -> None:
    board = json.loads((FOLDER / "grafana.json").read_text())
    cells: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
        assert at["x"] + at["w"] <= 24
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    assert max(cells.values()) == 1
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
