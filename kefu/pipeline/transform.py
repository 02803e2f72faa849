"""dbt in this process, one call per layer; what it did is stored in `ops.build_result`."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.live_line import Base, begin, changed_models, finish, going_on, project_hash
from kefu.settings import PROJECT
from kefu.warehouse import Role, WarehouseError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# What each layer builds. Statistics and checks run between `kpi` and `appraisal`.
LAYERS = {
    "core": "path:models/staging path:models/intermediate path:models/core",
    "kpi": "path:models/kpi path:models/operations path:models/appraisal/evidence",
    "appraisal": "path:models/appraisal",
}
_EXCLUDED = {"appraisal": "path:models/appraisal/evidence"}
# Reading the project costs more than building a small layer; this process keeps what it read last.
_PARSED: dict[str, Manifest] = {}
_REACHED = "reached"


class BuildError(WarehouseError):
    """A model or a test of it failed; the message names them."""


def build(platform: Platform, scope: Scope, layer: str, run_id: str) -> int:
    """Builds and tests one layer of a calculation; returns the number of models and tests that ran.

    The live line goes on from its last finished build where it can; the first layer decides it.

    Raises:
        BuildError: naming every model or test that failed, and why.
    """
    base = None
    if scope.calc_id == "live":
        base = begin(platform, scope, run_id) if layer == "core" else going_on(platform, scope, run_id)
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if layer in _EXCLUDED:
        arguments += ["--exclude", _EXCLUDED[layer]]
    results = run_models(platform, scope, arguments, LAYERS[layer].split(), base)
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
    if not results and base is None:
        raise BuildError(f"layer {layer} selected nothing. Remedy: check the folders of dbt_project/models")
    if scope.calc_id == "live" and layer == "appraisal":
        finish(platform, run_id)
    return len(results)


def run_models(
    platform: Platform, scope: Scope, arguments: Sequence[str], selected: Sequence[str], base: Base | None
) -> list[dict[str, object]]:
    """Runs dbt on what is selected; of a build that goes on from a base only on what its changes can reach.

    Selections are paths of models, names, and names with all that they need (`+name`). What no load tells of is looked
    at first: only what came out different goes on from there. A model may be among the results twice.
    """
    given = ["--vars", json.dumps(scope.variables() | (base.variables() if base else {}))]
    manifest = parsed(platform, given)
    if manifest is None or base is None or base.changed is None:
        return invoke(platform, [*arguments, "--select", *selected, *given])
    wanted = _wanted(manifest, selected)
    logs, others = set(), set()
    for key, source in manifest.sources.items():
        if source.source_name.startswith("raw_"):
            if (source.source_name.removeprefix("raw_"), source.name) in base.changed:
                logs.add(key)
        elif (source.source_name, source.name) != ("cfg", "object_version"):  # another one is built in full
            others.update(manifest.child_map.get(key, []))

    def run(found: set[str]) -> list[dict[str, object]]:
        # A tag is found at once, where dbt compares every name with every node.
        for key, node in manifest.nodes.items():
            node.tags = [tag for tag in node.tags if tag != _REACHED] + [_REACHED] * (key in found)
        return invoke(platform, [*arguments, "--select", f"tag:{_REACHED}", *given]) if found else []

    results = run(others & wanted)
    if any(result["status"] in ("error", "fail") for result in results):
        return results
    start = logs | {f"model.{manifest.metadata.project_name}.{name}" for name in changed_models(platform)}
    if base.is_clock_later:
        start |= reads_clock(manifest)
    return results + run(_reached(manifest, start) & wanted)


def reads_clock(manifest: Manifest) -> set[str]:
    """Returns the models whose rows depend on the instant of the clocks: they or macros that they call say `as_of`."""
    return {
        key
        for key, node in manifest.nodes.items()
        if key.startswith("model.")
        and (
            node.config.meta.get("moves", {}).get("clock")
            or "as_of" in node.raw_code
            or any(
                "as_of" in manifest.macros[macro].macro_sql
                for macro in _walk(set(node.depends_on.macros), lambda macro: manifest.macros[macro].depends_on.macros)
            )
        )
    }


def _wanted(manifest: Manifest, selected: Sequence[str]) -> set[str]:
    """Returns the selected models."""
    wanted = {
        key
        for key, node in manifest.nodes.items()
        if any(
            node.original_file_path.startswith(part.removeprefix("path:") + "/") or node.name == part.removeprefix("+")
            for part in selected
        )
    }
    if any(part.startswith("+") for part in selected):
        wanted = _walk(wanted, lambda key: manifest.parent_map.get(key, []))
    return {key for key in wanted if key.startswith("model.")}


def _reached(manifest: Manifest, start: set[str]) -> set[str]:
    """Returns what reads the start, through anything; what is dirty reaches only rows of models reached otherwise."""
    return _walk(start, lambda key: [] if key.endswith(".int_dirty") else manifest.child_map.get(key, []))


def _walk(start: set[str], following: Callable[[str], list[str]]) -> set[str]:
    found, waiting = set(start), list(start)
    while waiting:
        for key in set(following(waiting.pop())) - found:
            found.add(key)
            waiting.append(key)
    return found


def invoke(platform: Platform, arguments: Sequence[str]) -> list[dict[str, object]]:
    """Runs dbt in this process; returns node, status, begin (UTC), seconds, rows and message of each result.

    Raises:
        BuildError: when dbt could not even start, e.g. a model does not parse.
    """
    from dbt.cli.main import dbtRunner  # three seconds that only builds should pay

    _environment(platform)
    outcome = dbtRunner(parsed(platform, arguments)).invoke(
        [*arguments, *_flags(), "--no-write-json", "--no-partial-parse"]
    )
    if outcome.exception is not None:
        raise BuildError(f"dbt {arguments[0]} could not run: {outcome.exception}") from outcome.exception
    return [
        {
            "node": result.node.unique_id.removeprefix("model.kefu.").removeprefix("test.kefu."),
            "status": str(result.status),
            "began_at": min((part.started_at for part in result.timing), default=None),
            "seconds": result.execution_time,
            "rows": result.adapter_response.get("rows_affected"),
            "message": result.message,
        }
        for result in getattr(outcome.result, "results", [])
    ]


def _environment(platform: Platform) -> None:
    """Tells dbt where the warehouse is."""
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
        "KEFU_DBT_THREADS": str(max(2, os.cpu_count() or 1)),
    }
    # An empty file name is none, for PostgreSQL's library too.
    os.environ |= {"KEFU_DBT_SSLMODE": parameters.get("sslmode", "prefer")} | {
        f"KEFU_DBT_{name.upper()}": parameters.get(name, "") for name in ("sslrootcert", "sslcert", "sslkey")
    }


def _flags() -> list[str]:
    folder = str(PROJECT / "dbt_project")
    # The words of a run are in `ops.build_result`; statements are below `target/run`.
    shared = ["--project-dir", folder, "--profiles-dir", folder, "--quiet"]
    return [*shared, "--log-level", "none", "--log-level-file", "none"]


def parsed(platform: Platform, arguments: Sequence[str]) -> Manifest | None:
    """Returns the parsed project, read again only when a file of it changed, placed where this run builds.

    Instants and periods are read when a model runs; database and calculation only decide where relations lie.
    """
    given = json.loads(arguments[arguments.index("--vars") + 1]) if "--vars" in arguments else {}
    digest = project_hash(PROJECT / "dbt_project")
    if digest not in _PARSED:
        manifest = _parse(digest)
        if manifest is None:
            return None  # dbt says why when it is called again
        _PARSED.clear()
        _PARSED[digest] = manifest
        # It lives as long as the process; looking through it for garbage costs a tenth of a build.
        gc.collect()
        gc.freeze()
    _place(_PARSED[digest], platform.warehouse.parameters(Role.TRANSFORMER)["dbname"], given.get("calc_id", "live"))
    return _PARSED[digest]


def _parse(digest: str) -> Manifest | None:
    """Returns the project as dbt reads it; what an earlier process read of the same files is taken from disk.

    Every task of a run is a process of its own, and reading costs more than building a small layer. Files of another
    fingerprint are never mixed: dbt itself does not notice every change of a file it has read.
    """
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    kept = PROJECT / ".kefu" / "dbt-parsed"
    kept.mkdir(parents=True, exist_ok=True)
    # dbt takes up what it read under the same settings only; where relations lie is decided afterwards.
    settings = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("KEFU_DBT_", "DBT_ENV_"))}
    try:
        with TemporaryDirectory(dir=kept) as folder:
            is_new = not (kept / digest).exists()
            target = f"{folder}/new" if is_new else str(kept / digest)
            outcome = dbtRunner().invoke(["parse", "--no-write-json", *_flags(), "--target-path", target])
            if not isinstance(outcome.result, Manifest):
                return None
            if is_new:
                for older in (path for path in kept.iterdir() if len(path.name) == len(digest)):
                    shutil.rmtree(older, ignore_errors=True)
                # Another process may have been faster.
                with contextlib.suppress(OSError):
                    os.rename(target, kept / digest)
    finally:
        os.environ |= settings
    return outcome.result


def _place(manifest: Manifest, database: str, calc_id: str) -> None:
    """Gives every relation of a parsed project the names that `generate_schema_name` would give it in this run."""
    from dbt.contracts.graph.nodes import ModelNode

    for node in [*manifest.nodes.values(), *manifest.sources.values()]:
        node.database = database
        if isinstance(node, ModelNode):
            node.schema = f"wh_{node.config.schema}" if calc_id == "live" else calc_id
        if node.relation_name is not None:
            node.relation_name = f'"{database}"."{node.schema}"."{node.identifier}"'


def drop_schema(platform: Platform, scope: Scope) -> None:
    """Removes the schema of a finished calculation; never the live line."""
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
