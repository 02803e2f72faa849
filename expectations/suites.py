"""What the suites declare: expectations with a severity, a reason in both languages and who fixes a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kefu.yaml_files import read_yaml

FOLDER = Path(__file__).parent / "suites"


class Reason(BaseModel):
    """Why a failure matters, for the person who reads it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=4)
    en: str = Field(min_length=4)


class Expectation(BaseModel):
    """One check. An argument `{default: a.b}` is a threshold of `config/defaults.yml`.

    `critical` blocks a close, `warning` makes a fitness suite fail its metric, `info` only records.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: str = Field(pattern=r"^Expect[A-Za-z]+$")
    arguments: dict[str, Any] = {}
    severity: Literal["critical", "warning", "info"]
    reason: Reason
    fixed_by: Literal["data_engineer", "quality_lead", "team_lead", "hr", "plan_owner"]
    version: int = Field(ge=1)


class Suite(BaseModel):
    """The checks of one relation. `duty: fitness` asks whether evidence may be used, `band` how far it is trusted.

    `relation` is a model in `layer`; `query` is SQL with `{calc_id}`, `{metric_id}` and the schema of each layer by its
    name, of `layer` as `{schema}`. `key` names the columns that identify a failing row. A suite with `metric_ids` is
    one of its own for each of them, named `<suite>_<metric>`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    duty: Literal["fitness", "band"]
    metric_id: str | None = None
    metric_ids: tuple[str, ...] = ()
    layer: Literal["staging", "intermediate", "core", "kpi", "appraisal", "operations"]
    relation: str | None = None
    query: str | None = None
    key: tuple[str, ...] = Field(min_length=1)
    expectations: tuple[Expectation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Suite:
        if (self.relation is None) == (self.query is None):
            raise ValueError(f"suite {self.suite}: give either relation or query")
        if self.metric_id is not None and self.metric_ids:
            raise ValueError(f"suite {self.suite}: give either metric_id or metric_ids")
        if not any(check.type == "ExpectTableRowCountToBeBetween" for check in self.expectations):
            raise ValueError(f"suite {self.suite}: row checks pass on an empty table, so a row count floor is required")
        return self

    def of_each_metric(self) -> list[Suite]:
        """Returns the suites this one stands for."""
        if not self.metric_ids:
            return [self]
        return [
            self.model_copy(update={"suite": f"{self.suite}_{name}", "metric_id": name, "metric_ids": ()})
            for name in self.metric_ids
        ]


def load_suites(folder: Path = FOLDER) -> list[Suite]:
    """Returns all suites by file name, those of several metrics one by one.

    Raises:
        ValueError: when a folder holds none or two share a name.
    """
    declared = [Suite.model_validate(read_yaml(path)) for path in sorted(folder.glob("*.yml"))]
    suites = [suite for one in declared for suite in one.of_each_metric()]
    names = [suite.suite for suite in suites]
    if not suites or len(set(names)) != len(names):
        raise ValueError(f"{folder}: expected suites with different names, found {names or 'none'}")
    return suites
