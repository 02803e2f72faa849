"""A local Airflow on the embedded PostgreSQL: `make airflow`. Loopback only; a server runs docker-compose.yml.

The components are started one by one instead of by `airflow standalone`, because that one serves task logs on every
network interface and cannot be told not to. Here the API server reads the logs from disk. There is no triggerer,
because no task of ours defers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psycopg
from psycopg import sql

from kefu.settings import PROJECT, Settings, free_port, settings
from kefu.warehouse import Role, Warehouse

_USER = "admin"
_COMPONENTS = {
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "api-server": ["api-server"],
}
_PATIENCE_SECONDS = 180


def main() -> None:
    """Starts Airflow, says where it is, and runs until it is interrupted; ends with 1 when a component dies."""
    found = settings()
    home = found.kefu_data_dir / "airflow"
    (home / "logs").mkdir(parents=True, exist_ok=True)
    port = free_port(8080)
    environment = os.environ | variables(found, home, port, _metadata_url(found))
    _write_private(home / "passwords.json", json.dumps({_USER: found.airflow_password.get_secret_value()}))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running: dict[str, subprocess.Popen[bytes]] = {}
    started = time.monotonic()
    try:
        print("Airflow is starting; its logs are in", home / "logs", flush=True)
        _run_to_end("migrate", ["db", "migrate"], home, environment)
        for name, arguments in _COMPONENTS.items():
            running[name] = _start(name, arguments, home, environment)
        _await_health(port, running, home)
        print(f"healthy after {time.monotonic() - started:.0f} s. Stop it with Ctrl-C")
        print(
            f"http://127.0.0.1:{port}  user {_USER}  password {found.airflow_password.get_secret_value()}", flush=True
        )
        while True:
            _refuse_dead(running, home)
            time.sleep(1)
    except KeyboardInterrupt:
        pass
    finally:
        for process in running.values():
            process.terminate()
        print("stopping; tasks that run now end first", flush=True)
        for process in running.values():
            process.wait()


def variables(found: Settings, home: Path, port: int, metadata_url: str) -> dict[str, str]:
    """Returns the environment of every component; secrets travel here and never on a command line.

    Args:
        found: settings with Airflow's secrets.
        home: AIRFLOW_HOME.
        port: loopback port of the API server and its pages.
        metadata_url: SQLAlchemy address of Airflow's own database.
    """
    secret = found.airflow_secret_key.get_secret_value()
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(PROJECT),
        "KEFU_CONFIG_DIR": str(found.kefu_config_dir),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secret,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secret,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": found.airflow_fernet_key.get_secret_value(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
    }


def _metadata_url(found: Settings) -> str:
    """Prepares login and database `airflow` on the embedded server, wherever the warehouse is; returns its address."""
    embedded = Warehouse(found.model_copy(update={"warehouse_url": None}))
    embedded.ensure_running()
    parameters = embedded.parameters(Role.OWNER)
    password = found.airflow_password.get_secret_value()
    with psycopg.connect(**parameters) as owner:  # type: ignore[arg-type]
        if not owner.execute("select 1 from pg_roles where rolname = 'airflow'").fetchone():
            owner.execute("create role airflow login")
        verifier = owner.pgconn.encrypt_password(password.encode(), b"airflow", b"scram-sha-256").decode()
        owner.execute(sql.SQL("alter role airflow password {}").format(sql.Literal(verifier)))
        owner.execute("alter database airflow owner to airflow")
        owner.execute("revoke all on database airflow from public")
    return f"postgresql+psycopg2://airflow:{password}@{parameters['host']}:{parameters['port']}/airflow"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _start(name: str, arguments: list[str], home: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (home / "logs" / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)


def _run_to_end(name: str, arguments: list[str], home: Path, environment: Mapping[str, str]) -> None:
    if _start(name, arguments, home, environment).wait() != 0:
        sys.exit(_obituary(name, home))


def _await_health(port: int, running: Mapping[str, subprocess.Popen[bytes]], home: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    state: object = "no answer"
    while time.monotonic() < deadline:
        _refuse_dead(running, home)
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5).json()
            state = {name: answer[name]["status"] for name in ("metadatabase", "scheduler", "dag_processor")}
            if all(status == "healthy" for status in state.values()):
                return
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(1)
    sys.exit(f"Airflow is not healthy after {_PATIENCE_SECONDS} s: {state}. Remedy: read the logs in {home / 'logs'}")


def _refuse_dead(running: Mapping[str, subprocess.Popen[bytes]], home: Path) -> None:
    for name, process in running.items():
        if process.poll() is not None:
            sys.exit(_obituary(name, home))


def _obituary(name: str, home: Path) -> str:
    log = home / "logs" / f"{name}.log"
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    return f"Airflow's {name} has ended. Its log {log} ends with:\n{tail}"


if __name__ == "__main__":
    main()
