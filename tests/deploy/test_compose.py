"""docker-compose.yml without a container engine: what can be read off the files is checked, nothing is started."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu.settings import PROJECT, Settings, ensure_env

COMPOSE = PROJECT / "docker-compose.yml"
TEXT = COMPOSE.read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ONE_SHOT = {"airflow-init", "metabase-provision"}
KNOWN_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "logging", "networks",
    "ports", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip
# What compose itself sets although the variable exists in Settings too.
SET_BY_COMPOSE = {"WAREHOUSE_URL", "KEFU_POSTGRES_PORT"}


def _example() -> dict[str, str]:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _optional() -> set[str]:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^# ([A-Z_]+)=$", text, flags=re.M))


def test_the_services_are_these_and_use_known_keys() -> None:
    document = yaml.safe_load(TEXT)
    assert {key for key in document if not key.startswith("x-")} == {"name", "services", "networks", "volumes"}
    assert sorted(SERVICES) == [
        "airflow-api-server", "airflow-dag-processor", "airflow-init", "airflow-scheduler", "airflow-triggerer",
        "metabase", "metabase-provision", "postgres",
    ]  # fmt: skip
    for name, service in SERVICES.items():
        assert set(service) <= KNOWN_KEYS, name
        assert all(isinstance(value, str) for value in service["environment"].values()), name
        for network in service["networks"]:
            assert network in document["networks"], name
        for mount in service.get("volumes", []):
            origin = mount.split(":")[0]
            assert origin in document["volumes"] or (PROJECT / origin).exists(), (name, mount)


def test_images_are_pinned_and_agree_with_the_project() -> None:
    dockerfile = (PROJECT / "deploy/Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, flags=re.M)
    images = {service["image"] for service in SERVICES.values()} | set(bases)
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert len(bases) == 2 and len(images) == 4
    assert {"metabase/metabase:v0.63.17", f"kefu:{version}"} <= images
    for image in images:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image
    uv = re.search(r"UV_VERSION := (\S+)", (PROJECT / "Makefile").read_text(encoding="utf-8"))
    assert uv is not None and f"ARG UV_VERSION={uv[1]}\n" in dockerfile
    assert "--require-hashes" in dockerfile and "USER 10001:10001" in dockerfile


def test_long_running_services_say_when_they_are_healthy_and_jobs_end() -> None:
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert service["restart"] in ("no", "on-failure") and "healthcheck" not in service, name
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD" and "start_period" in service["healthcheck"], name


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how == {"condition": expected}, (name, needed)
    order = list(TopologicalSorter({n: set(s.get("depends_on", {})) for n, s in SERVICES.items()}).static_order())
    assert order[0] == "postgres" and len(order) == len(SERVICES)
    assert SERVICES["airflow-scheduler"]["depends_on"].keys() == {"airflow-api-server"}


def test_containers_can_do_as_little_as_possible() -> None:
    networks = yaml.safe_load(TEXT)["networks"]
    assert networks["inside"] == {"internal": True}
    for name, service in SERVICES.items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert not any("docker.sock" in mount for mount in service.get("volumes", [])), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"airflow-api-server", "metabase"}
    assert SERVICES["postgres"]["networks"] == ["inside"]
    with_keys = {name for name, service in SERVICES.items() if "KEFU_TEXT_KEY" in service["environment"]}
    assert with_keys == {"airflow-init", "airflow-scheduler", "metabase-provision"}


def _literal_secrets(environment: dict[str, str]) -> list[str]:
    """Returns variables that should hold a secret and hold anything but a required variable."""
    secret = {
        name: re.sub(r"^[a-z0-9+]+://\w+:(.*)@.*$", r"\1", value)
        for name, value in environment.items()
        if re.search(r"PASSWORD|SECRET|KEY|_URL$|_CONN$|_PASS$", name)
    }
    harmless = re.compile(r"\$\{[A-Z_]+:\?\}|/[\w./]+|http://[\w.-]+:\d+/execution/|\$\{AIRFLOW_BASE_URL:-.*\}")
    return [name for name, value in secret.items() if not harmless.fullmatch(value)]


def test_no_secret_has_a_default() -> None:
    for name, service in SERVICES.items():
        assert _literal_secrets(service["environment"]) == [], name
    assert _literal_secrets({"A_PASSWORD": "${A_PASSWORD:-kefu}", "X_URL": "postgresql://me:pw@db/x"}) == [
        "A_PASSWORD",
        "X_URL",
    ]


def test_every_variable_of_settings_and_compose_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    known = {name.upper() for name in Settings.model_fields}
    example = _example()
    assert set(example) | _optional() == known | used
    assert used - known == {"AIRFLOW_APPROVER_PASSWORD", "AIRFLOW_BASE_URL", "METABASE_ENCRYPTION_KEY"}
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert {name for name, value in example.items() if not value} >= required
    passed = set(SERVICES["airflow-scheduler"]["environment"])
    assert passed >= required | SET_BY_COMPOSE
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        assert not re.match(r"(# )?[A-Z_]+=", line) or before.startswith("# "), f"{line} has no comment"


@pytest.fixture
def made_env(tmp_path: Path) -> Path:
    """What deploy/make_env.sh prints."""
    result = subprocess.run(["sh", PROJECT / "deploy/make_env.sh"], capture_output=True, text=True, check=True)
    path = tmp_path / ".env"
    path.write_text(result.stdout, encoding="utf-8")
    return path


def test_make_env_fills_every_secret_with_its_own_value(made_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.fernet import Fernet

    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    found = Settings(_env_file=made_env)
    Fernet(found.airflow_fernet_key.get_secret_value())
    assert len(bytes.fromhex(found.kefu_text_key.get_secret_value())) == 32
    assert len(found.airflow_secret_key.get_secret_value()) >= 64
    values = dict(line.split("=", 1) for line in made_env.read_text().splitlines() if re.match("[A-Z]", line))
    filled = [value for name, value in values.items() if value and not _example()[name]]
    assert len(filled) == len(set(filled)) == len([v for n, v in _example().items() if not v and n != "WAREHOUSE_URL"])
    # Nothing that compose asks for is missing.
    assert all(values[name] for name in re.findall(r"\$\{([A-Z_]+):\?\}", TEXT))


def test_a_container_needs_no_env_file(made_env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in made_env.read_text(encoding="utf-8").splitlines():
        if re.match("[A-Z]", line):
            monkeypatch.setenv(*line.split("=", 1))
    ensure_env(tmp_path / "none" / ".env")
    assert not (tmp_path / "none").exists()


def test_every_command_exists(tmp_path: Path) -> None:
    commands = [s["command"] for s in SERVICES.values() if "command" in s]
    commands += [s["healthcheck"]["test"][1:] for s in SERVICES.values() if "healthcheck" in s]
    airflow = []
    for command in commands:
        match command:
            case ["airflow", *arguments]:
                airflow.append(arguments)
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module), module
            case ["python", "-c", code]:
                compile(code, "healthcheck", "exec")
            case ["python", script]:
                assert (PROJECT / script).is_file(), script
            case [program, *_]:
                assert program in ("postgres", "pg_isready", "curl"), program
    assert len(airflow) == 6
    parse = (
        "import json, sys; from airflow.cli.cli_parser import get_parser;"
        "[get_parser().parse_args(command) for command in json.loads(sys.argv[1])]"
    )
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", parse, json.dumps(airflow)], env=environment, check=True)


def test_every_airflow_option_exists() -> None:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "config_templates/config.yml"
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = {name for s in SERVICES.values() for name in s["environment"] if name.startswith("AIRFLOW__")}
    assert len(names) == 16
    for name in names:
        _, section, option = name.lower().split("__")
        assert option in sections[section]["options"], name


def test_the_image_holds_what_runs_and_no_secret() -> None:
    lines = (PROJECT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert rules[0] == "*" and all((PROJECT / name).exists() for name in allowed)
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert allowed >= packages | {"config", "dbt_project", "deploy", "requirements.txt", "samples"}
    assert not any(name.startswith((".env", ".kefu", ".git", "inbox", "tests")) for name in allowed)
