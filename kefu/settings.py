"""Where things are and the secrets that open them. Everything comes from `.env`, which is generated, never shipped."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Settings of one installation.

    Every field is a variable of `.env` in upper case. Secrets are `SecretStr`, so a repr or a log shows stars.
    """

    model_config = SettingsConfigDict(env_file=PROJECT / ".env", extra="ignore")

    warehouse_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or newer; empty means the embedded server under KEFU_DATA_DIR"
    )
    kefu_data_dir: Path = Field(PROJECT / ".kefu", description="working folder: embedded server, exports, pages")
    kefu_config_dir: Path = Field(PROJECT / "config", description="folder with what the customer edits")
    kefu_postgres_port: int = Field(54329, description="loopback port of the embedded PostgreSQL")
    kefu_postgres_password: SecretStr = Field(description="password of the embedded server's owner")
    kefu_loader_password: SecretStr = Field(description="login kefu_loader: writes raw rows")
    kefu_transformer_password: SecretStr = Field(description="login kefu_transformer: dbt, statistics, publish")
    kefu_text_password: SecretStr = Field(description="login kefu_text: the only reader of message text")
    kefu_bi_password: SecretStr = Field(description="login kefu_bi: dashboards, no pay")
    kefu_auditor_password: SecretStr = Field(description="login kefu_auditor: reads everything but text")
    kefu_plan_author_password: SecretStr = Field(description="login kefu_plan_author: applies plans, starts a close")
    kefu_plan_approver_password: SecretStr = Field(description="login kefu_plan_approver: approves what others made")
    kefu_hr_approver_password: SecretStr = Field(description="login kefu_hr_approver: approves pay and take-backs")
    kefu_payroll_clerk_password: SecretStr = Field(description="login kefu_payroll_clerk: acknowledges exports")
    kefu_signing_key: SecretStr = Field(description="Ed25519 key (hex) that signs manifests; never in the warehouse")
    kefu_actors: dict[str, str] = Field({}, description="Airflow user to database login, as JSON; one login each")
    kefu_customer_secret: SecretStr = Field(description="HMAC secret of customer keys; losing it unlinks customers")
    kefu_text_key: SecretStr = Field(description="AES key (hex) of stored text and quarantine payloads")
    airflow_password: SecretStr = Field(description="password of the Airflow user and of its metadata database")
    airflow_secret_key: SecretStr = Field(description="signing secret of the Airflow API server")
    airflow_fernet_key: SecretStr = Field(description="key that encrypts Airflow connections")
    metabase_admin_email: str = Field("admin@kefu.example", description="first Metabase user")
    metabase_admin_password: SecretStr = Field(description="password of the first Metabase user")
    metabase_database_password: SecretStr = Field(description="password of Metabase's own database")


GENERATED = tuple(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)


@cache
def settings() -> Settings:
    """Returns the settings of this installation, generating `.env` on the first call."""
    ensure_env(PROJECT / ".env")
    return Settings()


def ensure_env(path: Path) -> None:
    """Adds a random value for every secret that `path` lacks; the file is readable by its owner only."""
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    # An empty `NAME=` is not set; a container gets its secrets from the environment and needs no file.
    filled = {name for name, _, value in (line.partition("=") for line in present.splitlines()) if value}
    names = filled | {name for name, value in os.environ.items() if value}
    lines = [f"{name.upper()}={_random(name)}" for name in GENERATED if name.upper() not in names]
    if "KEFU_POSTGRES_PORT" not in names:
        lines.append(f"KEFU_POSTGRES_PORT={free_port(54329)}")
    if not lines:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def _random(name: str) -> str:
    if name in ("kefu_text_key", "kefu_signing_key"):
        return secrets.token_hex(32)
    if name == "airflow_fernet_key":
        from cryptography.fernet import Fernet

        return Fernet.generate_key().decode()
    return secrets.token_urlsafe(48 if name == "airflow_secret_key" else 24)


def free_port(preferred: int) -> int:
    """Returns the first loopback port from `preferred` on that nobody listens on; for 0 any that the system offers."""
    if preferred == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])
    for port in range(preferred, preferred + 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError(f"no free loopback port from {preferred}; set KEFU_POSTGRES_PORT in .env")
