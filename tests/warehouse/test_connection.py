"""Reaching the warehouse: embedded or by URL, one pipeline at a time, and messages that help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pydantic import SecretStr

from connectors.registry import systems
from kefu.catalogue.files import apply, load_catalogue
from kefu.load.raw_tables import ensure_raw_tables
from kefu.payroll import close_period
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import shipped
from kefu.settings import PROJECT, Settings, ensure_env, free_port
from kefu.warehouse import Role, Warehouse, WarehouseError, connection, embedded
from kefu.warehouse.migrate import migrate
from tests.payroll.fabricated import Agent, Calculation, calculating


def by_url(settings: Settings, url: str) -> Warehouse:
    return Warehouse(settings.model_copy(update={"warehouse_url": SecretStr(url)}))


# --- one pipeline at a time ------------------------------------------------------------------------------------------


def test_the_second_pipeline_is_told_who_holds_the_warehouse(warehouse: Warehouse) -> None:
    with (
        warehouse.pipeline_lock("daily run of Monday"),
        pytest.raises(WarehouseError, match=r"another pipeline holds the warehouse.*kefu pipeline: daily run of Mon"),
        warehouse.pipeline_lock("close of 2026_11"),
    ):
        pytest.fail("two pipelines at once")
    with warehouse.pipeline_lock("close of 2026_11"):
        pass


def test_a_pipeline_of_another_database_of_the_server_is_not_in_the_way(
    warehouse: Warehouse, settings: Settings
) -> None:
    other = Warehouse(settings, "t_other_pipeline")
    other.ensure_running()
    migrate(other)
    with (
        other.pipeline_lock("daily run elsewhere"),
        warehouse.pipeline_lock("daily run here"),
        pytest.raises(WarehouseError, match="daily run here"),
        warehouse.pipeline_lock("close"),
    ):
        pytest.fail("two pipelines at once")


def test_a_killed_pipeline_lets_the_next_one_in(warehouse: Warehouse) -> None:
    script = (
        "import sys, time\nfrom kefu.settings import Settings\nfrom kefu.warehouse import Warehouse\n"
        "settings = Settings(_env_file=sys.argv[1], kefu_data_dir=sys.argv[2], kefu_postgres_port=sys.argv[3],"
        " warehouse_url=None)\n"
        "with Warehouse(settings, sys.argv[4]).pipeline_lock('to be killed'):\n    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    settings = warehouse.settings
    arguments = [settings.kefu_data_dir / ".env", settings.kefu_data_dir, settings.kefu_postgres_port]
    holder = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments), warehouse.database],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WarehouseError, match="to be killed"), warehouse.pipeline_lock("next"):
        pytest.fail("two pipelines at once")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with warehouse.connect(Role.OWNER, autocommit=True) as owner:
        while owner.execute("select 1 from pg_locks where locktype = 'advisory'").fetchone():
            pass
    with warehouse.pipeline_lock("next"):
        pass


# --- messages --------------------------------------------------------------------------------------------------------


def test_an_old_server_is_refused(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MINIMUM_VERSION", 990000)
    with pytest.raises(
        WarehouseError,
        match=r"the warehouse is PostgreSQL 18, Kefu needs 15 or newer. Remedy: upgrade the server or leave",
    ):
        warehouse.ensure_running()


def test_a_server_that_does_not_answer_is_named_without_the_password(settings: Settings) -> None:
    port = free_port(0)
    found = by_url(settings, f"postgresql://kefu_owner:geheim-4711@127.0.0.1:{port}/kefu")
    with pytest.raises(WarehouseError, match=r"Remedy: check WAREHOUSE_URL in .env") as raised:
        found.connect(Role.OWNER)
    assert str(port) in str(raised.value)
    assert "geheim-4711" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["postgresql://kefu_owner:geheim%4711zz@host/kefu", "postgresql://kefu_owner:geheim-4711@host/kefu?sslmod=x"]
)
def test_a_malformed_url_is_an_error_with_a_remedy_and_without_the_password(settings: Settings, url: str) -> None:
    with pytest.raises(WarehouseError, match="WAREHOUSE_URL") as raised:
        by_url(settings, url).connect(Role.OWNER)
    assert "geheim" not in str(raised.value)


def test_settings_never_show_a_secret(settings: Settings) -> None:
    shown = repr(settings) + str(settings.model_dump())
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    assert len(secrets) == 18
    assert [secret for secret in secrets if secret in shown] == []


# --- by URL ----------------------------------------------------------------------------------------------------------


def test_a_url_without_a_port_means_the_usual_one(settings: Settings) -> None:
    """Every consumer, Arrow and dbt too, needs a port; nobody writes 5432 into a URL."""
    parameters = by_url(settings, "postgresql://kefu_owner:x@warehouse.example.test/kefu").parameters(Role.TRANSFORMER)
    assert (parameters["host"], parameters["port"], parameters["dbname"]) == ("warehouse.example.test", "5432", "kefu")
    assert parameters["user"] == "kefu_transformer"


def test_demands_on_the_connection_reach_every_login(settings: Settings) -> None:
    url = "postgresql://kefu_owner:x@warehouse.example.test:5432/kefu?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    for role in Role:
        parameters = by_url(settings, url).parameters(role)
        assert (parameters["sslmode"], parameters["sslrootcert"]) == ("verify-full", "/etc/ca.pem")


def test_dbt_demands_the_same_of_its_connection_as_the_others(project: Path) -> None:
    """Without it `sslmode=verify-full` in WAREHOUSE_URL would hold for everything but dbt."""
    assert "sslmode" in (project / "dbt_project/profiles.yml").read_text()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A server of its own with an owner who may create roles and databases and is no superuser."""
    folder = tmp_path_factory.mktemp("given")
    ensure_env(folder / ".env")
    server = Settings(
        _env_file=folder / ".env", kefu_data_dir=folder, kefu_postgres_port=free_port(0), warehouse_url=None
    )
    embedded.start(server)
    try:
        administrator = Warehouse(server, "postgres").parameters(Role.OWNER)
        with psycopg.connect(**administrator, autocommit=True) as superuser:  # type: ignore[arg-type]
            superuser.execute("create role given_owner login createrole createdb password 'a password'")
            superuser.execute("create database given owner given_owner")
        url = f"postgresql://given_owner:{quote('a password')}@127.0.0.1:{server.kefu_postgres_port}/given"
        yield Platform(server.model_copy(update={"warehouse_url": SecretStr(url)}))
    finally:
        embedded.stop(server)


def test_a_server_by_url_is_set_up_by_an_owner_without_superuser(given: Platform, project: Path) -> None:
    warehouse = given.warehouse
    assert not warehouse.is_embedded
    warehouse.ensure_running()
    with warehouse.connect(Role.OWNER) as owner:
        row = owner.execute("select current_user, rolsuper from pg_roles where rolname = current_user").fetchone()
    assert row == ("given_owner", False)
    assert len(migrate(warehouse)) >= 6
    assert migrate(warehouse) == []
    assert len([name for system in systems().values() for name in ensure_raw_tables(warehouse, system)]) == 54
    declared = load_catalogue(project / "config")
    expected = sum(len(items) for items in declared.objects.values()) + len(shipped())
    assert len(apply(warehouse, declared, shipped())) == expected > 200
    for role in Role:
        with warehouse.connect(role) as login:
            assert login.execute("select current_user").fetchone() == (
                "given_owner" if role is Role.OWNER else role.value,
            )


def test_a_server_by_url_loads_and_analyzes(given: Platform) -> None:
    from kefu.pipeline.ingest import ingest

    report = ingest(given, "by url", "chat", "message")
    assert (report.read, report.inserted) == (2340, 2340)
    with given.warehouse.connect(Role.OWNER) as owner:
        assert owner.execute(
            "select reltuples from pg_class where oid = 'raw_live_helper_chat.message'::regclass"
        ).fetchone() == (2340,)


def test_a_server_by_url_seals_a_period(given: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of a close run as the owner, who is no superuser here, over tables the transformer made."""
    with given.warehouse.connect(Role.PLAN_APPROVER) as checker:
        checker.execute("select cfg.approve_plan('demo', 1)")
    given.settings.kefu_data_dir = tmp_path
    with calculating(monkeypatch, Calculation([Agent("CS1001", Decimal("88.00"), "A", 100_000)])):
        assert close_period(given, "2026_11_demo").row_count == 1
