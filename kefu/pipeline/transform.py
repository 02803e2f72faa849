"""dbt in this process, one call per layer; what it did is stored in `ops.build_result`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from kefu.pipeline.context import Platform, Scope
from kefu.settings import PROJECT
from kefu.warehouse import Role, WarehouseError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# What each layer builds. Statistics and checks run between `kpi` and `appraisal`.
LAYERS = {
    "core": "path:models/staging path:models/intermediate path:models/core",
    "kpi": "path:models/kpi path:models/operations evidence_rating evidence_eligible evidence_review",
    "appraisal": "path:models/appraisal",
}
_EXCLUDED = {"appraisal": "evidence_rating evidence_eligible evidence_review"}
# Reading the project costs more than building a small layer; this process keeps what it read last.
_PARSED: dict[object, Manifest] = {}
_MOST_PARSED = 2


class BuildError(WarehouseError):
    """A model or a test of it failed; the message names them."""


def build(platform: Platform, scope: Scope, layer: str, run_id: str) -> int:
    """Builds and tests one layer of a calculation; returns the number of models and tests that ran.

    Raises:
        BuildError: naming every model or test that failed, and why.
    """
    arguments = ["build", "--select", LAYERS[layer], "--exclude-resource-type", "unit_test"]
    if layer in _EXCLUDED:
        arguments += ["--exclude", _EXCLUDED[layer]]
    results = invoke(platform, [*arguments, "--vars", json.dumps(scope.variables())])
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.cursor().executemany(
            "insert into ops.build_result values (%s, %s, %s, %s, %s, %s, %s)"
            " on conflict (run_id, calc_id, node) do update set status = excluded.status,"
            " execution_seconds = excluded.execution_seconds, rows_affected = excluded.rows_affected,"
            " message = excluded.message",
            [(run_id, scope.calc_id, r["node"], r["status"], r["seconds"], r["rows"], r["message"]) for r in results],
        )
    failed = [f"{r['node']}: {r['message']}" for r in results if r["status"] in ("error", "fail")]
    if failed:
        raise BuildError(f"layer {layer} of {scope.calc_id} failed:\n" + "\n".join(failed))
    if not results:
        raise BuildError(f"layer {layer} selected nothing. Remedy: check the folders of dbt_project/models")
    return len(results)


def invoke(platform: Platform, arguments: Sequence[str]) -> list[dict[str, object]]:
    """Runs dbt in this process; returns node, status, seconds, rows and message of each result.

    Raises:
        BuildError: when dbt could not even start, e.g. a model does not parse.
    """
    from dbt.cli.main import dbtRunner  # three seconds that only builds should pay

    folder = PROJECT / "dbt_project"
    parameters = platform.warehouse.parameters(Role.TRANSFORMER)
    os.environ |= {
        "KEFU_DBT_HOST": parameters["host"],
        "KEFU_DBT_PORT": parameters["port"],
        "KEFU_DBT_DATABASE": parameters["dbname"],
        "KEFU_DBT_USER": parameters["user"],
        "DBT_ENV_SECRET_KEFU_PASSWORD": parameters["password"],
        "KEFU_DBT_TARGET": str(platform.settings.kefu_data_dir / "dbt"),
        "DBT_LOG_PATH": str(platform.settings.kefu_data_dir / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    # An empty file name is none, for PostgreSQL's library too.
    os.environ |= {"KEFU_DBT_SSLMODE": parameters.get("sslmode", "prefer")} | {
        f"KEFU_DBT_{name.upper()}": parameters.get(name, "") for name in ("sslrootcert", "sslcert", "sslkey")
    }
    # The words of a run are in `ops.build_result`; statements are below `target/run`.
    shared = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet"]
    # What dbt keeps of an earlier parse holds for the same variables only, and not for descriptions that were moved.
    shared += ["--log-level", "none", "--log-level-file", "info", "--no-partial-parse"]
    if arguments[0] == "parse":
        outcome = dbtRunner().invoke([*arguments, *shared])
    else:
        manifest = _parsed(folder, platform, arguments, shared)
        outcome = dbtRunner(manifest).invoke([*arguments, *shared, "--no-write-json"])
    if outcome.exception is not None:
        raise BuildError(f"dbt {arguments[0]} could not run: {outcome.exception}") from outcome.exception
    return [
        {
            "node": result.node.unique_id.removeprefix("model.kefu.").removeprefix("test.kefu."),
            "status": str(result.status),
            "seconds": result.execution_time,
            "rows": result.adapter_response.get("rows_affected"),
            "message": result.message,
        }
        for result in getattr(outcome.result, "results", [])
    ]


def _parsed(folder: Path, platform: Platform, arguments: Sequence[str], shared: Sequence[str]) -> Manifest | None:
    """Returns the parsed project, read again only when a file, the database or the calculation is another one.

    Instants and periods are read when a model runs; only the name of the calculation decides the names of schemas.
    """
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    given = arguments[arguments.index("--vars") + 1] if "--vars" in arguments else "{}"
    files = [path for path in folder.rglob("*") if path.suffix in (".sql", ".yml") and "target" not in path.parts]
    key = (
        platform.warehouse.parameters(Role.TRANSFORMER)["dbname"],
        json.loads(given).get("calc_id"),
        frozenset((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files),
    )
    if key not in _PARSED:
        outcome = dbtRunner().invoke(["parse", "--vars", given, *shared])
        if not isinstance(outcome.result, Manifest):
            return None  # dbt says why when it is called again
        while len(_PARSED) >= _MOST_PARSED:
            _PARSED.pop(next(iter(_PARSED)))
        _PARSED[key] = outcome.result
    return _PARSED[key]


def drop_schema(platform: Platform, scope: Scope) -> None:
    """Removes the schema of a finished calculation and its statistics; never the live line."""
    if scope.calc_id == "live":
        raise ValueError("the live line is never dropped")
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(f'drop schema if exists "{scope.calc_id}" cascade'.encode())


def start_run(platform: Platform, run_id: str, kind: str, detail: dict[str, object]) -> None:
    """Records that a run began; a run id seen before goes on."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "insert into ops.run (run_id, kind, detail) values (%s, %s, %s) on conflict (run_id) do nothing",
            [run_id, kind, Jsonb(detail)],
        )


def end_run(platform: Platform, run_id: str, status: str) -> None:
    """Records how a run ended: `succeeded` or `failed`."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "update ops.run set status = %s, completed_at = clock_timestamp() where run_id = %s", [status, run_id]
        )
