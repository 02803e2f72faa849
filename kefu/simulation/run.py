"""A simulated operation from scenario to files: planned faults, a world, its formats, its sheets and its truth."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.feather

from kefu.simulation.company import found
from kefu.simulation.configuration import DESK_TOKEN, DESK_URL, write_configuration
from kefu.simulation.faults import delivered, plan_faults, plant, skills
from kefu.simulation.generate import generate
from kefu.simulation.papers import write_papers
from kefu.simulation.scenario import Scenario
from kefu.simulation.serve import serve
from kefu.simulation.truth import write_truth
from kefu.simulation.world import SCHEMAS, World
from kefu.simulation.writers.asterisk import write_asterisk
from kefu.simulation.writers.live_helper_chat import write_live_helper_chat
from kefu.simulation.writers.tabular import write_sheets

# What an operation was written with; a folder with the same one is not written again.
VERSION = 1
_DONE = "scenario.json"


@contextmanager
def served_desk(world: World) -> Iterator[None]:
    """Serves the chat system that is only reached by HTTP, at the address and with the token of its source's variables.

    The other systems are databases and files.
    """
    with serve(world, ["chatwoot"]) as servers:
        server = servers.by_system["chatwoot"]
        [token] = server.environment.values()
        os.environ |= {DESK_URL: server.url, DESK_TOKEN: token}
        try:
            yield
        finally:
            del os.environ[DESK_URL], os.environ[DESK_TOKEN]


def simulate(scenario: Scenario) -> World:
    """Returns the world of a scenario with its faults planted and its papers written."""
    faults = plan_faults(scenario, found(scenario).tables)
    world = plant(generate(scenario, skills(faults)), faults)
    world.papers = write_papers(world, scenario, scenario.seed)
    return world


def write_operation(
    scenario: Scenario,
    folder: Path,
    *,
    base: Path,
    is_alone: bool = False,
    malformed: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> World:
    """Writes an operation as its systems hold it, and returns what they deliver; a folder that has it is left as it is.

    Args:
        scenario: what to simulate.
        folder: gets `asterisk/` and `asterisk.sqlite3`, `live_helper_chat.sqlite3`, `sheets/`, `truth.json`, `world/`
            (its tables, for the fake servers) and `config/`, which is written anew every time.
        base: configuration that `config/` extends.
        is_alone: `config/` declares this operation only.
        malformed: also writes records that break the contracts.
        say: hears one line for each step.
    """
    stamp = json.dumps(
        {"version": VERSION, "malformed": malformed} | scenario.model_dump(mode="json"), indent=1, sort_keys=True
    )
    done = folder / _DONE
    if done.exists() and done.read_text(encoding="utf-8") == stamp:
        world = _read_world(folder)
        say(f"the operation in {folder} is up to date")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        world = _write_systems(simulate(scenario), scenario, folder, malformed)
        say(f"{scenario.agents} people, {scenario.months} months: " + ", ".join(_counts(world)))
        say(f"{world.planted.num_rows} faults planted, written down in {folder / 'truth.json'}")
        done.write_text(stamp, encoding="utf-8")
    write_configuration(world, scenario, folder, base, folder / "config", is_alone=is_alone)
    return world


def _counts(world: World) -> list[str]:
    return [f"{world.tables[name].num_rows} {name}s" for name in ("call", "chat", "message", "survey")]


def _write_systems(world: World, scenario: Scenario, folder: Path, malformed: bool) -> World:
    seen = delivered(world)
    zone = scenario.time_zone
    wrong = [
        write_asterisk(
            seen, folder / "asterisk", f"sqlite:///{folder}/asterisk.sqlite3", time_zone=zone, malformed=malformed
        ),
        write_live_helper_chat(seen, f"sqlite:///{folder}/live_helper_chat.sqlite3", malformed=malformed),
    ]
    write_sheets(seen, folder / "sheets")
    world.planted = seen.planted = pa.concat_tables([world.planted, *wrong])
    write_truth(world, scenario, folder / "truth.json")
    for part, tables in (("world", seen.tables), ("papers", seen.papers), ("truth", {"planted": seen.planted})):
        (folder / part).mkdir()
        for name, table in tables.items():
            pyarrow.feather.write_feather(table, folder / part / f"{name}.arrow")
    return seen


def _read_world(folder: Path) -> World:
    tables, papers, truth = (
        {path.stem: pyarrow.feather.read_table(path) for path in sorted((folder / part).glob("*.arrow"))}
        for part in ("world", "papers", "truth")
    )
    return World({name: tables[name] for name in SCHEMAS}, papers, truth["planted"])
