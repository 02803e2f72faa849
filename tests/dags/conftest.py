"""An Airflow of the tests' own: home, metadata and logs in a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of an Airflow whose metadata is an SQLite file; set before anything imports Airflow."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        }.items():
            patch.setenv(name, value)
        from airflow.utils import db

        db.initdb()
        yield home


@pytest.fixture(scope="session")
def dags(airflow_home: Path) -> dict[str, Any]:
    """Every DAG by id, as Airflow finds them."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    assert os.environ["AIRFLOW_HOME"] == str(airflow_home)
    return dict(bag.dags)
