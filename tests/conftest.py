"""A real PostgreSQL of the tests' own, one fresh database per test module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from kefu.settings import PROJECT, Settings, _free_port, ensure_env
from kefu.warehouse import Role, Warehouse, embedded
from kefu.warehouse.migrate import migrate


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with generated secrets and an embedded server that is stopped at the end."""
    folder = tmp_path_factory.mktemp("kefu")
    env = folder / ".env"
    ensure_env(env)
    found = Settings(_env_file=env, kefu_data_dir=folder, kefu_postgres_port=_free_port(55432), warehouse_url=None)
    embedded.start(found)
    yield found
    embedded.stop(found)


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
