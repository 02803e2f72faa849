"""The published tables of `dataset` in a PostgreSQL of these tests, seen with the login of dashboards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bi.site import Fetch
from kefu.warehouse import Role, Warehouse
from tests.bi import dataset


@pytest.fixture(scope="module")
def owner(warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """An owner's connection to the dataset; a test that changes something rolls back."""
    with warehouse.connect(Role.OWNER) as connection:
        dataset.create(connection, dataset.tables())
        for schema in ("pub_kpi", "pub_appraisal", "pub_operations"):
            connection.execute(f"grant usage on schema {schema} to kefu_bi")
            connection.execute(f"grant select on all tables in schema {schema} to kefu_bi")
        connection.commit()
        yield connection


@pytest.fixture(scope="module")
def reader(owner: psycopg.Connection[Any], warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the rights of dashboards and no more."""
    with warehouse.connect(Role.BI) as connection:
        yield connection


def fetch_with(connection: psycopg.Connection[Any]) -> Fetch:
    """Returns the fetch function of the site over a connection."""

    def run(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        cursor = connection.execute(sql)  # type: ignore[call-overload]
        return [column.name for column in cursor.description or ()], cursor.fetchall()

    return run
