"""The configuration under which a simulated operation is read: that of a folder with the simulated objects added."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from kefu.simulation.operation import OPERATION
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import World
from kefu.yaml_files import read_yaml

# The sources a simulated operation is read from, by channel of the world.
SOURCES = {"voice": "sim_pbx", "chat": "sim_chat", "desk": "sim_desk"}
SHEETS = "sim_sheets"
# Variables that hold address and token of the simulated desk while it is served.
DESK_URL, DESK_TOKEN = "KEFU_SIMULATED_DESK_URL", "KEFU_SIMULATED_DESK_TOKEN"
_PAUSES = {
    "acw": "acw", "break": "break", "lunch": "break", "meeting": "meeting", "training": "training",
    "outbound": "outbound",
}  # fmt: skip
_STARS = {"scale_minimum": 1, "scale_maximum": 5, "best": "high", "top_box": [4, 5]}
_INSTRUMENTS = (
    ("voice", "SURVEY", {"kind": "csat"} | _STARS),
    ("chat", "max_stars_1", {"kind": "csat"} | _STARS),
    ("chat", "max_stars_2", {"kind": "resolved"} | _STARS),
    ("chat", "fbst", {"kind": "thumbs", "scale_minimum": 1, "scale_maximum": 2, "best": "low", "top_box": [1]}),
    ("desk", "csat", {"kind": "csat"} | _STARS),
    ("sheets", "nps", {"kind": "nps", "scale_minimum": 0, "scale_maximum": 10, "best": "high", "top_box": [9, 10]}),
    ("sheets", "ces", {"kind": "ces", "scale_minimum": 1, "scale_maximum": 7, "best": "high", "top_box": [5, 6, 7]}),
)

Objects = list[dict[str, Any]]


def write_configuration(
    world: World,
    scenario: Scenario,
    data: Path,
    base: Path,
    target: Path,
    databases: Mapping[str, str | None],
    *,
    is_alone: bool,
) -> None:
    """Writes `target` as a copy of the configuration in `base` with the objects of a simulated operation.

    Args:
        world: whose teams, queues and papers are declared.
        scenario: its dates and zone.
        data: folder of the written operation, as seen from the project.
        base: folder of a complete configuration.
        target: folder to write; replaced as a whole.
        databases: variables with the addresses of the systems that were not written to files of `data`.
        is_alone: leaves the base's own teams, queues, sources and periods out, takes the scenario's time zone for the
            site, and declares every month as a demo period.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(base, target, ignore=shutil.ignore_patterns("schema"))
    valid_from = scenario.start - timedelta(days=366)
    added: dict[str, Objects] = {
        "teams": [
            {"team_id": team["team_id"], "name": _name(team)} for team in world.tables["team"].to_pylist()
        ],
        "queues": [
            {
                "queue_id": queue["queue_id"], "source_id": SOURCES[queue["channel"]], "account": queue["account"],
                "name": _name(queue), "team_id": queue["team_id"],
                "service_level_seconds": queue["service_level_seconds"],
            }
            for queue in world.tables["queue"].to_pylist()
        ],
        "aux_codes": [
            {"aux_id": f"sim_{account}", "source_id": SOURCES["voice"], "account": account, "state": state}
            for account, state in _PAUSES.items()
        ],
        "instruments": [
            {"instrument_id": f"{source}_{account.lower()}", "source_id": source, "account": account} | scale
            for channel, account, scale in (*_INSTRUMENTS, *_follow_up_items(world))
            for source in [SOURCES.get(channel, SHEETS)]
        ],
        "sources": _sources(world, scenario, data, databases),
        "periods": _months(scenario) if is_alone else [],
    }  # fmt: skip
    for name, objects in added.items():
        path = target / f"{name}.yml"
        kept = [] if is_alone else read_yaml(path)
        _write(path, kept + [{"version": 1, "valid_from": valid_from} | item for item in objects])
    if "follow_up" in world.tables:
        defaults = read_yaml(target / "defaults.yml")
        defaults["review"]["form_versions"] = {OPERATION.review.form_version: valid_from}
        _write(target / "defaults.yml", defaults)
    if is_alone:
        site = read_yaml(target / "site.yml")
        _write(target / "site.yml", site | {"time_zone": scenario.time_zone})
        # Overlays are about teams of the base, which are not there.
        for path in sorted((target / "plans").glob("*.yml")):
            plan = read_yaml(path)
            if plan.pop("overlays", None):
                _write(path, plan)


def _follow_up_items(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    declared = OPERATION.follow_up
    return [
        ("sheets", f"follow_up_{name}", _STARS | {"kind": item.kind, "best": item.best}
         | {"top_box": [4, 5] if item.best == "high" else [1, 2], "product_reasons": [*declared.product_reasons]})
        for name, item in declared.items.items()
        if "follow_up" in world.tables
    ]  # fmt: skip


def _name(row: dict[str, Any]) -> dict[str, str]:
    return {"zh": row["name_zh"], "en": row["name_en"]}


def _sources(world: World, scenario: Scenario, data: Path, databases: Mapping[str, str | None]) -> Objects:
    def address(system: str) -> dict[str, str]:
        variable = databases[system]
        return {"url_env": variable} if variable else {"url": f"sqlite:///{data}/{system}.sqlite3"}

    common = {"time_zone": scenario.time_zone, "phone_region": "CN"}
    return [
        {
            "source_id": SOURCES["voice"], "system": "asterisk", "channel": "voice",
            "entities": ["queue_log", "cdr", "cel"],
            "settings": {
                "queue_log": {"file": f"{data}/asterisk/queue_log"},
                "cdr": address("asterisk") | {"table": "cdr", "outbound_prefix": "9"},
                "cel": address("asterisk") | {"table": "cel"},
            },
        } | common,
        {
            "source_id": SOURCES["chat"], "system": "live_helper_chat", "channel": "chat", "text": "vault",
            "entities": [
                "department", "user", "user_department", "survey", "chat", "message", "participant", "survey_item",
            ],
            "settings": address("live_helper_chat"),
        } | common,
        {
            "source_id": SOURCES["desk"], "system": "chatwoot", "channel": "chat", "text": "vault",
            "entities": ["agent", "team", "inbox", "conversation", "message", "csat_response"],
            "settings": {"base_url_env": DESK_URL, "account_id": 1, "token_env": DESK_TOKEN},
        } | common,
        {
            "source_id": SHEETS, "system": "tabular", "channel": "none", "entities": sorted(world.papers),
            "settings": {
                "folder": f"{data}/sheets", "answers_to": f"{data}/answers",
                "entities": {entity: {"files": f"{entity}[-.]*"} for entity in sorted(world.papers)},
            },
        } | common,
    ]  # fmt: skip


def _months(scenario: Scenario) -> Objects:
    return [
        {
            "period_id": f"{start:%Y_%m}_simulated",
            "name": {"zh": f"{start.year}年{start.month}月模拟周期", "en": f"Simulated {start:%B %Y}"},
            "start": start,
            "end": end - timedelta(days=1),
            "as_of": scenario.as_of(end).isoformat(),
            "mode": "demo",
            "plan_ids": ["demo"],
        }
        for start, end in zip(scenario.month_starts, scenario.month_starts[1:], strict=False)
    ]


def _write(path: Path, body: Any) -> None:
    path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=150), encoding="utf-8")
