"""Prepares a server before Airflow starts: logins, Airflow's tables, the warehouse. Every start runs it again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path


def main() -> None:
    """Writes the logins of `AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS` and migrates both databases."""
    path = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords = {"admin": os.environ["AIRFLOW_PASSWORD"], "approver": os.environ["AIRFLOW_APPROVER_PASSWORD"]}
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(passwords, file)
    subprocess.run(["airflow", "db", "migrate"], check=True)
    subprocess.run(["python", "-m", "kefu", "warehouse", "migrate"], check=True)


if __name__ == "__main__":
    main()
