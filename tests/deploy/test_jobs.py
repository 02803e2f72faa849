"""One-shot jobs of a server: the databases of PostgreSQL's first start, and provisioning of Metabase."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bi.metabase import MetabaseError
from bi.provision import provision
from bi.spec import load_contract
from kefu.settings import PROJECT, Settings, free_port
from kefu.warehouse import Role, Warehouse, embedded
from tests.bi.fake_metabase import FakeMetabase


@pytest.fixture
def empty_server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A PostgreSQL that has just been created."""
    changed = {"kefu_data_dir": tmp_path_factory.mktemp("server"), "kefu_postgres_port": free_port(0)}
    found = settings.model_copy(update=changed)
    embedded.start(found)
    yield found
    embedded.stop(found)


def test_the_first_start_makes_databases_that_others_cannot_enter(empty_server: Settings) -> None:
    owner = Warehouse(empty_server, "postgres").parameters(Role.OWNER)
    passwords = {"AIRFLOW_PASSWORD": "it's air", "METABASE_DATABASE_PASSWORD": "meta"}
    environment = os.environ | passwords | {
        "PATH": f"{embedded.binary('psql').parent}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": owner["host"], "PGPORT": owner["port"], "PGPASSWORD": owner["password"],
    }  # fmt: skip
    subprocess.run(["sh", PROJECT / "deploy/postgres_init.sh"], env=environment, check=True, capture_output=True)
    for login, password in zip(("airflow", "metabase"), passwords.values(), strict=True):
        place = {**owner, "user": login, "password": password}
        with psycopg.connect(**{**place, "dbname": login}) as connection:  # type: ignore[arg-type]
            connection.execute("create table public.it_may_write (n integer)")
        other = "metabase" if login == "airflow" else "airflow"
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(**{**place, "dbname": other})  # type: ignore[arg-type]
    log = (empty_server.kefu_data_dir / "postgres.log").read_text(encoding="utf-8")
    assert "it's air" not in log
    again = subprocess.run(["sh", PROJECT / "deploy/postgres_init.sh"], env=environment, capture_output=True)
    assert again.returncode != 0 and b"it's air" not in again.stdout + again.stderr
    assert "it's air" not in (empty_server.kefu_data_dir / "postgres.log").read_text(encoding="utf-8")


def test_provisioning_makes_everything_once(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeMetabase({table: list(columns) for table, columns in load_contract().items()})
    server.trouble = [503, 503, 503]
    with server.listening():
        assert provision(settings, server.url, patience=0) == 0
        first = capsys.readouterr().out.splitlines()
        assert provision(settings, server.url, patience=0) == 0
    assert first[0] == "first user made" and len(first) > 10
    assert capsys.readouterr().out.splitlines() == ["the server was set up before", "no changes"]
    (database,) = server.databases.values()
    assert database["name"] == "Kefu" and database["details"]["user"] == "kefu_bi"
    assert database["details"]["schema-filters-patterns"] == "pub_*"


def test_provisioning_before_the_first_publication_says_what_to_do(settings: Settings) -> None:
    server = FakeMetabase({})
    with (
        server.listening(),
        pytest.raises(MetabaseError, match=r"pub_kpi.agent is missing.*Remedy: run `kefu publish`"),
    ):
        provision(settings, server.url, patience=0)


def test_airflow_finds_its_own_database_on_the_embedded_server(settings: Settings, tmp_path: Path) -> None:
    from kefu.airflow_local import _metadata_url, variables

    url = _metadata_url(settings)
    assert _metadata_url(settings) == url
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        connection.execute("create table public.it_may_write (n integer)")
        assert connection.execute("select current_user").fetchone() == ("airflow",)
        may_enter = "select has_database_privilege('public', 'airflow', 'connect')"
        assert connection.execute(may_enter).fetchone() == (False,)
    found = variables(settings, tmp_path, 8081, url)
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1" and found["AIRFLOW__API__PORT"] == "8081"
    assert found["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8081"
