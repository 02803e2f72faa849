"""A simulated operation from scenario to files: planned faults, a world, its formats, its sheets and its truth."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.feather

from kefu.simulation.company import found
from kefu.simulation.configuration import DESK_TOKEN, DESK_URL, write_configuration
from kefu.simulation.faults import DECLARED, delivered, plan_faults, plant, skills
from kefu.simulation.generate import generate
from kefu.simulation.papers import write_papers
from kefu.simulation.scenario import Scenario
from kefu.simulation.serve import Servers, serve
from kefu.simulation.truth import write_truth
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, SCHEMAS, World
from kefu.simulation.writers.asterisk import write_asterisk
from kefu.simulation.writers.live_helper_chat import write_live_helper_chat
from kefu.simulation.writers.tabular import write_malformed_sheets, write_sheets

VERSION = 3
# Stands in a folder that was made here, so that no other one is ever emptied; what an operation was written with
# follows at the end, and a folder with the same one is not written again.
_MARK, _DONE = ".kefu-simulation", "scenario.json"


class SimulationError(ValueError):
    """The operation cannot be written as asked; the message says what to change."""


@contextmanager
def served_desk(world: World) -> Iterator[None]:
    """Serves the chat system that is only reached by HTTP, at the address and with the token of its source's variables.

    The other systems are databases and files.
    """
    with serve(world, ["chatwoot"]) as servers:
        variables = desk_variables(servers)
        os.environ |= variables
        try:
            yield
        finally:
            for name in variables:
                del os.environ[name]


def desk_variables(servers: Servers) -> dict[str, str]:
    """Returns the variables that the written configuration reads the served chat system by."""
    server = servers.by_system["chatwoot"]
    [token] = server.environment.values()
    return {DESK_URL: server.url, DESK_TOKEN: token}


def simulate(scenario: Scenario) -> World:
    """Returns the world of a scenario with its faults planted and its papers written.

    Raises:
        SimulationError: the scenario gives a strength to a fault that does not exist.
    """
    if unknown := sorted(set(scenario.strengths) - set(DECLARED.faults)):
        raise SimulationError(f"there are no faults {unknown}. Remedy: use some of {', '.join(DECLARED.faults)}")
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
    exchange_url_env: str | None = None,
    chat_url_env: str | None = None,
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
        exchange_url_env: variable with the address of an empty database for the exchange's tables (MariaDB, PostgreSQL,
            SQLite) instead of the file.
        chat_url_env: the same for Live Helper Chat.
        say: hears one line for each step.

    Raises:
        SimulationError: the folder holds something else, a variable is not set, or a table holds rows already.
    """
    databases = {"asterisk": exchange_url_env, "live_helper_chat": chat_url_env}
    asked = {"version": VERSION, "malformed": malformed, "databases": databases} | scenario.model_dump(mode="json")
    stamp = json.dumps(asked, indent=1, sort_keys=True)
    done = folder / _DONE
    if done.exists() and done.read_text(encoding="utf-8") == stamp:
        world = _read_world(folder)
        say(f"the operation in {folder} is up to date")
    else:
        _empty(folder)
        urls = {system: _url(name, folder / f"{system}.sqlite3") for system, name in databases.items()}
        world = _write_systems(simulate(scenario), scenario, folder, urls, malformed)
        say(f"{scenario.agents} people, {scenario.months} months: " + ", ".join(_counts(world)))
        say(f"{world.planted.num_rows} faults planted, written down in {folder / 'truth.json'}")
        done.write_text(stamp, encoding="utf-8")
    write_configuration(world, scenario, folder, base, folder / "config", databases, is_alone=is_alone)
    return world


def _empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise SimulationError(f"{folder} holds something else and is left alone. Remedy: name a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()


def _url(name: str | None, file: Path) -> str:
    if name is None:
        return f"sqlite:///{file}"
    if not os.environ.get(name):
        raise SimulationError(f"environment variable {name} is not set. Remedy: give it the address of the database")
    return os.environ[name]


def _counts(world: World) -> list[str]:
    return [f"{world.tables[name].num_rows} {name}s" for name in ("call", "chat", "message", "survey")]


def _write_systems(world: World, scenario: Scenario, folder: Path, urls: Mapping[str, str], malformed: bool) -> World:
    seen = delivered(world)
    zone = scenario.time_zone
    try:
        wrong = [
            write_asterisk(seen, folder / "asterisk", urls["asterisk"], time_zone=zone, malformed=malformed),
            write_live_helper_chat(seen, urls["live_helper_chat"], malformed=malformed),
        ]
    except ValueError as error:
        raise SimulationError(str(error)) from error
    write_sheets(seen, folder / "sheets")
    if malformed:
        wrong.append(write_malformed_sheets(seen, folder / "sheets"))
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
    names = [name for name in (*SCHEMAS, *FOLLOW_UP_SCHEMAS) if name in tables]
    return World({name: tables[name] for name in names}, papers, truth["planted"])
