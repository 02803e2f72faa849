"""Plans from files, from `config/` and as they were applied."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kefu.catalogue.files import Catalogue, ConfigError, readable_problems
from kefu.catalogue.models import Period
from kefu.catalogue.plan_rules import check_plan
from kefu.catalogue.plans import Plan
from kefu.pipeline.context import Platform
from kefu.warehouse import Role, WarehouseError
from kefu.yaml_files import read_yaml


def plan_of(name: str, catalogue: Catalogue) -> Plan:
    """Returns a plan by its id in `config/plans/` or from the path of a file, checked against the catalogue.

    Raises:
        ConfigError: the file holds no valid plan; every problem is one line.
    """
    if name in catalogue.plans:
        return catalogue.plans[name]
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            [f"found neither a plan nor a file {name}, expected one of {sorted(catalogue.plans)} or a path. Remedy: "
             "correct it"]
        )  # fmt: skip
    try:
        plan = Plan.model_validate(read_yaml(path))
    except (ValidationError, yaml.YAMLError) as error:
        raise ConfigError(readable_problems(path, error)) from error
    if problems := check_plan(plan, catalogue):
        raise ConfigError(problems)
    return plan


def applied(platform: Platform, plan_id: str, version: int) -> Plan:
    """Returns a plan version as it was applied to the warehouse.

    Raises:
        WarehouseError: there is no such version; the message names those there are.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found: dict[int, dict[str, Any]] = dict(
            connection.execute(
                "select version, body from cfg.object_version where kind = 'plan' and object_id = %s", [plan_id]
            ).fetchall()
        )
    if version not in found:
        raise WarehouseError(
            f"plan {plan_id}: found no applied version {version}, expected one of {sorted(found)}. Remedy: name one of "
            "them, or `file` for what config/ says"
        )
    return Plan.model_validate(found[version])


def late_approvals(platform: Platform) -> list[str]:
    """Returns what is wrong with the approvals of the plans of real periods; a demo closes without people.

    A plan counts for a period when somebody other than its author has approved it before the period's first day.
    """
    problems = []
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        for period in platform.catalogue.periods.values():
            if period.mode == "real":
                for plan_id in period.plan_ids:
                    row = connection.execute(
                        "select o.version, a.approved_by, a.approved_at, a.approved_by <> o.applied_by,"
                        " a.approved_at < %(start)s"
                        " from cfg.object_version as o left join cfg.plan_approval as a"
                        " on o.object_id = a.plan_id and o.version = a.version and o.content_hash = a.content_hash"
                        " where o.kind = 'plan' and o.object_id = %(plan_id)s and o.valid_from <= %(day)s"
                        " order by o.version desc limit 1",
                        {"plan_id": plan_id, "day": period.start, "start": _begin(platform, period)},
                    ).fetchone()
                    problems += _late(period, plan_id, row)
    return problems


def _begin(platform: Platform, period: Period) -> datetime:
    """Returns the instant at which the period's first business day begins."""
    return platform.catalogue.site.end_of_business_day(period.start - timedelta(days=1))


def _late(period: Period, plan_id: str, row: tuple[object, ...] | None) -> list[str]:
    where, expected = f"period {period.period_id}: plan {plan_id}", "an approval by somebody else than its author"
    before = f"before {period.start}"
    if row is None:
        return [f"{where}: found no version in force on {period.start}, expected one. Remedy: apply it earlier"]
    version, approver, approved_at, is_other, is_early = row
    if approver is None:
        return [
            f"{where} version {version}: found no approval, expected {expected} {before}. Remedy: `kefu period "
            f"approve-plan {plan_id} {version}`"
        ]
    if not is_other or not is_early:
        return [
            f"{where} version {version}: found an approval by {approver} at {approved_at}, expected {expected} "
            f"{before}. Remedy: use the plan in a later period"
        ]
    return []
