"""Installations of the tests: a configuration of their own, copies of a finished warehouse, runs that are killed."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import multiprocessing
import os
import pickle
import runpy
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from pydantic import SecretStr

from kefu.payroll import Close, close_period
from kefu.pipeline.context import Platform
from kefu.pipeline.publish import Published
from kefu.pipeline.run import daily
from kefu.settings import PROJECT, Settings, ensure_env, free_port
from kefu.warehouse import Role, Warehouse, embedded

LINE, CLOSED = "t_line", "t_closed"
# What a finished line remembers beside its databases.
RECORD = "line.pickle"
KILLED_RUN = Path(__file__).with_name("killed_run.py")
# Each killed run is a process of its own, forked from one that has imported what runs need.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["kefu.payroll", "kefu.pipeline.run", "dbt.cli.main", "great_expectations"])


@dataclasses.dataclass(frozen=True)
class Line:
    """The complete daily run over the recordings; nobody changes its database, everybody copies it.

    Attributes:
        platform: the installation that ran.
        published: what the run returned.
        said: the lines it told people on the way.
        commands: command lines of all processes that were seen while it ran.
    """

    platform: Platform
    published: Published
    said: list[str]
    commands: set[str]


def settings_in(folder: Path) -> Settings:
    """Returns settings of an installation in a folder, with a free port and secrets of its own unless it has some."""
    env = folder / ".env"
    ensure_env(env)
    return Settings(_env_file=env, kefu_data_dir=folder, kefu_postgres_port=free_port(0), warehouse_url=None)


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Runs an embedded server, and stops it at the end.

    Nothing on it has to survive a power cut; tests that kill runs kill clients, never the server. Tables live for
    minutes, and looking after thousands of them costs more than it brings.
    """
    embedded.start(settings)
    try:
        with Warehouse(settings, "postgres").connect(Role.OWNER, autocommit=True) as owner:
            for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                owner.execute(f"alter system set {setting} = off".encode())
            owner.execute("select pg_reload_conf()")
        yield
    finally:
        embedded.stop(settings)


def finished_line(shared: Path) -> Path:
    """Returns `shared/line`, a stopped installation with the complete daily run and, beside it, its demo period closed.

    It is made by the first who asks. Who comes second waits: three workers that build the same cost more than two that
    wait.
    """
    folder = shared / "line"
    with (shared / "line.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / RECORD).exists():
            folder.mkdir()
            settings = settings_in(folder)
            config = configuration(folder)
            said: list[str] = []
            with serving(settings):
                with watched_commands() as commands:
                    platform = Platform(settings.model_copy(update={"kefu_config_dir": config}), LINE)
                    published = daily(platform, "first run", say=said.append)
                (folder / CLOSED).mkdir()
                close = close_period(copy_database(platform, settings, CLOSED, folder / CLOSED), "2026_11_demo")
            close = dataclasses.replace(close, folder=close.folder.relative_to(folder / CLOSED))
            (folder / RECORD).write_bytes(pickle.dumps(((config, published, said, commands), close)))
    return folder


def line_on(settings: Settings) -> Line:
    """Returns the finished line on a server that began as a copy of the one of `finished_line`."""
    (config, *told), _ = pickle.loads((settings.kefu_data_dir / RECORD).read_bytes())
    return Line(Platform(settings.model_copy(update={"kefu_config_dir": config}), LINE), *told)


def closed_on(settings: Settings) -> tuple[Platform, Close]:
    """Returns the closed period on the same server; its files are this worker's own copies."""
    _, close = pickle.loads((settings.kefu_data_dir / RECORD).read_bytes())
    folder = settings.kefu_data_dir / CLOSED
    made = by_url(settings, CLOSED, folder).model_copy(update={"kefu_config_dir": folder / "config"})
    return Platform(made), dataclasses.replace(close, folder=folder / close.folder)


def configuration(folder: Path) -> Path:
    """Returns a copy of `config/` whose answers go to `folder` and whose inbox is an empty one there."""
    copied = folder / "config"
    shutil.copytree(PROJECT / "config", copied)
    (folder / "inbox").mkdir()
    replace(
        copied / "sources.yml",
        {".kefu/answers": str(folder / "answers"), "folder: inbox": f"folder: {folder / 'inbox'}"},
    )
    return copied


def inbox_of(platform: Platform) -> Path:
    """Returns the folder in which an installation looks for sheets."""
    return Path(platform.catalogue.sources["inbox"].settings["folder"])


def replace(path: Path, changes: dict[str, str]) -> None:
    """Replaces texts of a file, each of which must be there."""
    text = path.read_text(encoding="utf-8")
    for found, replacement in changes.items():
        assert found in text, f"{path.name} no longer says {found}"
        text = text.replace(found, replacement)
    path.write_text(text, encoding="utf-8")


def by_url(settings: Settings, database: str, folder: Path) -> Settings:
    """Returns settings that reach a database of the embedded server by WAREHOUSE_URL, with a folder of their own."""
    password = quote(settings.kefu_postgres_password.get_secret_value(), safe="")
    url = f"postgresql://postgres:{password}@127.0.0.1:{settings.kefu_postgres_port}/{database}"
    return settings.model_copy(update={"warehouse_url": SecretStr(url), "kefu_data_dir": folder})


def copy_database(platform: Platform, settings: Settings, name: str, folder: Path) -> Platform:
    """Returns an installation of its own: a copy of another one's warehouse, with the grants, and of its `config/`."""
    original = platform.warehouse.parameters(Role.OWNER)["dbname"]
    administration = Platform(by_url(settings, "postgres", folder)).warehouse
    with administration.connect(Role.OWNER, autocommit=True) as owner:
        owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [original])
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        owner.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(original)
            )
        )
        owner.execute(
            "update pg_database set datacl = (select datacl from pg_database where datname = %s) where datname = %s",
            [original, name],
        )
    config = shutil.copytree(platform.settings.kefu_config_dir, folder / "config")
    return Platform(by_url(settings, name, folder).model_copy(update={"kefu_config_dir": config}))


def environment(settings: Settings) -> dict[str, str]:
    """Returns the environment in which a process finds these settings."""
    values = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if value is not None
    }
    return os.environ | values | {"PYTHONPATH": str(PROJECT)}


def secrets(settings: Settings) -> dict[str, str]:
    """Returns every secret of an installation by name."""
    return {name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)}


def run_killed(platform: Platform, point: str, log: Path) -> int:
    """Runs a process that ends itself by SIGKILL at a point of `killed_run.py`; returns its exit code.

    What it printed goes to `log`.
    """
    asked = {"asked": (platform.settings, point, log)}
    process = PROCESSES.Process(target=runpy.run_path, args=[str(KILLED_RUN), asked, "__main__"])
    process.start()
    process.join(300)
    assert process.exitcode is not None, f"{point} was not reached in 300 seconds"
    return process.exitcode


@contextlib.contextmanager
def watched_commands() -> Iterator[set[str]]:
    """Yields a set that collects the command lines of all processes while the block runs."""
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(process.read_bytes().replace(b"\x00", b" ").decode(errors="replace"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def every_row(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Yields (table, row as text) for every row of every table and view of the database's own schemas."""
    tables = connection.execute(
        "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables"
        " where table_schema not in ('pg_catalog', 'information_schema') order by 1"
    ).fetchall()
    for (table,) in tables:
        for (row,) in connection.execute(f"select t::text from {table} as t".encode()):
            yield table, row


def files_below(*folders: Path) -> Iterator[tuple[Path, str]]:
    """Yields (path, content as text) of every file, except the server's data files and the secrets' own file."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "postgres" not in path.relative_to(folder).parts and path.name != ".env":
                yield path, path.read_bytes().decode(errors="replace")
