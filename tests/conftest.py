"""A real PostgreSQL of the tests' own, one fresh database per test module."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from kefu.payroll import Close
from kefu.pipeline.context import Platform
from kefu.pipeline.run import daily
from kefu.settings import PROJECT, Settings
from kefu.warehouse import Role, Warehouse
from kefu.warehouse.migrate import migrate
from tests.e2e.planting import plant
from tests.e2e.support import Line, closed_on, copy_database, finished_line, line_on, serving, settings_in

Copy = Callable[[Platform, str], Platform]

# The files that take longest begin first, so that all workers end at about the same time. What needs no server goes on
# while the first worker makes the line that the others wait for.
LONGEST = [
    "dbt/test_dbt_project.py",
    "simulation/test_truth.py",
    "simulation/test_papers.py",
    "e2e/test_recovery.py",
    "pipeline/test_incremental.py",
    "dags/test_runs.py",
    "catalogue/test_new_metric.py",
    "payroll/test_real_period.py",
    "e2e/test_simulation.py",
    "e2e/test_personal_data.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; the order within a file stays."""
    places = {PROJECT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with generated secrets and an embedded server that is stopped at the end.

    Where any test of the session needs the finished line, the server begins as a copy of the one that holds it.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    shared = tmp_path_factory.getbasetemp().parent if worker else tmp_path_factory.getbasetemp()
    folder = shared / f"kefu_{worker}"
    if any("line" in getattr(item, "fixturenames", ()) for item in request.session.items):
        # With the owners of the server's files, who is not who runs the tests where that is root.
        subprocess.run(["cp", "-a", finished_line(shared), folder], check=True)
    else:
        folder.mkdir()
    found = settings_in(folder)
    with serving(found):
        yield found


@pytest.fixture(scope="module")
def warehouse(settings: Settings, request: pytest.FixtureRequest) -> Warehouse:
    """A migrated, otherwise empty warehouse for this module."""
    name = "t_" + re.sub(r"\W", "_", Path(request.node.name).stem)
    made = Warehouse(settings, database=name)
    with psycopg.connect(**{**made.parameters(Role.OWNER), "dbname": "postgres"}, autocommit=True) as owner:
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    made.ensure_running()
    migrate(made)
    return made


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the project."""
    return PROJECT


@pytest.fixture(scope="session")
def line(settings: Settings) -> Line:
    """The complete daily run over the recordings, once for all tests; its database is only read and copied."""
    return line_on(settings)


@pytest.fixture(scope="session")
def copy_of(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Gives an installation of its own over a copy of another one's warehouse: `copy_of(line.platform, "t_name")`."""

    def copy(platform: Platform, name: str) -> Platform:
        return copy_database(platform, settings, name, tmp_path_factory.mktemp(name))

    return copy


@pytest.fixture(scope="session")
def closed(line: Line, settings: Settings) -> tuple[Platform, Close]:
    """The demo period of the line, closed once for all tests; its database is only read and copied."""
    return closed_on(settings)


@pytest.fixture(scope="session")
def planted(line: Line, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A copy of the line into which a later run has loaded what `tests.e2e.planting` put into the sources."""
    platform = copy_of(line.platform, "t_planted")
    plant(platform, tmp_path_factory.mktemp("sources"))
    daily(platform, "later run")
    return platform
