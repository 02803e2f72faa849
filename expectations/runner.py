"""Runs suites on PostgreSQL and stores every result with all failing keys."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from expectations.suites import Expectation, Suite
from kefu.warehouse import Role, Warehouse, WarehouseError

_SHOWN_KEYS = 3
_LAYERS = ("staging", "intermediate", "core", "kpi", "appraisal", "operations")


class QualityError(WarehouseError):
    """A suite could not be run, which is never a pass."""


@dataclass(frozen=True)
class Result:
    """The outcome of one expectation; `failing_keys` are all of them, as texts."""

    suite: Suite
    expectation: Expectation
    success: bool
    observed: str
    threshold: str
    failing_keys: list[str]

    @property
    def line(self) -> str:
        """One line that says what failed, what was found and why it matters."""
        shown = f" ({', '.join(self.failing_keys[:_SHOWN_KEYS])}" if self.failing_keys else ""
        more = len(self.failing_keys) - _SHOWN_KEYS
        shown += (f" and {more} more)" if more > 0 else ")") if shown else ""
        return (
            f"{self.expectation.severity}: {self.suite.suite}.{self.expectation.id}: {self.expectation.reason.en};"
            f" found {self.observed}{shown}, demanded {self.threshold}; {self.expectation.fixed_by} fixes it"
        )


def run_suites(
    warehouse: Warehouse,
    suites: list[Suite],
    calc_id: str,
    schema: Callable[[str], str],
    defaults: dict[str, Any],
) -> list[Result]:
    """Runs all expectations of all suites for one calculation and replaces its stored results.

    Args:
        warehouse: where the relations are.
        suites: what to check.
        calc_id: `live` or the schema of a close.
        schema: gives the schema of a layer.
        defaults: the body of `config/defaults.yml`, for thresholds by reference.

    Raises:
        QualityError: there is no suite to run, or a check does not exist; neither is ever a pass.
    """
    if not suites:
        raise QualityError("no suite was chosen, so nothing is checked. Remedy: declare suites for what is calculated")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx  # three seconds that only checks should pay
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    # Its import sets levels of its own, one of them for a module.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.ERROR)

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    address = warehouse.url(Role.TRANSFORMER, "postgresql+psycopg2")
    source = context.data_sources.add_postgres("warehouse", connection_string=address)
    results: list[Result] = []
    for suite in suites:
        layers = {layer: schema(layer) for layer in _LAYERS}
        query = suite.query and suite.query.format(
            schema=schema(suite.layer), calc_id=calc_id, metric_id=suite.metric_id, **layers
        )
        asset: Any
        try:
            if suite.relation is not None:
                asset = source.add_table_asset(suite.suite, table_name=suite.relation, schema_name=schema(suite.layer))
            else:
                asset = source.add_query_asset(suite.suite, query=query or "")
        except TestConnectionError as error:
            # The relation is missing. What cannot be checked has not passed.
            problem = f"could not be checked: {str(error)[:300]}"
            results += [Result(suite, check, False, problem, "none", []) for check in suite.expectations]
            continue
        # One batch for all checks: each new one copies the rows of a query.
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        results += [_run(gx, batch, query, suite, check, defaults, warehouse) for check in suite.expectations]
    _store(warehouse, calc_id, results)
    return results


def _run(
    gx: Any,
    batch: Any,
    query: str | None,
    suite: Suite,
    check: Expectation,
    defaults: dict[str, Any],
    warehouse: Warehouse,
) -> Result:
    arguments = {name: _resolved(value, defaults) for name, value in check.arguments.items()}
    threshold = ", ".join(f"{name} {value}" for name, value in sorted(arguments.items())) or "none"
    kind = getattr(gx.expectations, check.type, None)
    if kind is None:
        raise QualityError(f"suite {suite.suite}: {check.id}: there is no {check.type}. Remedy: correct its name")
    outcome = batch.validate(
        kind(**arguments),
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": list(suite.key),
            "return_unexpected_index_query": True,
        },
    )
    raised = outcome.exception_info
    infos = [raised] if "raised_exception" in raised else list(raised.values())
    problems = [info["exception_message"] for info in infos if info["raised_exception"]]
    if problems:
        return Result(suite, check, False, f"could not be checked: {problems[0][:300]}", threshold, [])
    keys: list[str] = []
    if not outcome.success and (failing := outcome.result.get("unexpected_index_query")):
        # The lists in the result are cut to 200 values, so the rows are asked for again; the library forgets the
        # brackets around a query.
        failing = failing.rstrip(";").replace(f"FROM {query}", f"FROM ({query}) as checked")
        with warehouse.connect(Role.TRANSFORMER) as connection:
            rows = connection.execute(failing.encode()).fetchall()
        keys = sorted("/".join(str(part) for part in row[: len(suite.key)]) for row in rows)
    observed = outcome.result.get("observed_value")
    if observed is None:
        observed = f"{outcome.result.get('unexpected_count', 0)} of {outcome.result.get('element_count', 0)} rows fail"
    return Result(suite, check, bool(outcome.success), str(observed), threshold, keys)


def _resolved(value: Any, defaults: dict[str, Any]) -> Any:
    if isinstance(value, dict) and set(value) == {"default"}:
        found: Any = defaults
        for part in value["default"].split("."):
            found = found[part]
        return float(found)
    return value


def _store(warehouse: Warehouse, calc_id: str, results: list[Result]) -> None:
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("delete from ops.quality_result where calc_id = %s", [calc_id])
        connection.cursor().executemany(
            "insert into ops.quality_result (calc_id, suite, expectation_id, duty, metric_id, severity, success,"
            " observed, threshold, failing_keys, reason_zh, reason_en, fixed_by, rule_version)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    calc_id, r.suite.suite, r.expectation.id, r.suite.duty, r.suite.metric_id, r.expectation.severity,
                    r.success, r.observed, r.threshold, Jsonb(r.failing_keys), r.expectation.reason.zh,
                    r.expectation.reason.en, r.expectation.fixed_by, r.expectation.version,
                )
                for r in results
            ],
        )  # fmt: skip
