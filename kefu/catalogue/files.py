"""Reading, checking and applying `config/`: files to models, models to append-only rows (DESIGN 4.7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from psycopg import Connection
from psycopg.types.json import Jsonb
from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.registry import systems
from kefu.catalogue.coaching import CoachingRule, TrainingRule
from kefu.catalogue.defaults import Defaults
from kefu.catalogue.integrity import RULE_IDS, IntegrityRule, Lexicon
from kefu.catalogue.models import (
    AuxCode,
    Calendar,
    ContradictionRule,
    Fact,
    Instrument,
    IssueClass,
    Measure,
    Measures,
    Metric,
    Parameter,
    Period,
    QaItem,
    Queue,
    ReconciliationRule,
    Site,
    SlaTarget,
    Source,
    Team,
    Versioned,
)
from kefu.catalogue.plan_rules import check_periods, check_plan
from kefu.catalogue.plans import Plan
from kefu.catalogue.texts import check_texts
from kefu.warehouse import Role, Warehouse
from kefu.yaml_files import read_yaml


class ConfigError(Exception):
    """The declared configuration cannot be used; every problem is one line of the message."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Kind:
    """One kind of declared object: where it is and what it is called in `cfg.object_version`."""

    name: str
    pattern: str
    model: type[BaseModel]
    identity: str | None = None
    is_list: bool = True

    @property
    def schema_file(self) -> str:
        """Name of the JSON Schema of the files of this kind."""
        stem = self.pattern.split("/")[0] if "/" in self.pattern else Path(self.pattern).stem
        return f"{stem}.schema.json"

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """The pydantic adapter of a whole file."""
        return TypeAdapter(list[self.model] if self.is_list else self.model)  # type: ignore[name-defined]


KINDS = (
    Kind("site", "site.yml", Site, "site_id", is_list=False),
    Kind("team", "teams.yml", Team, "team_id"),
    Kind("source", "sources.yml", Source, "source_id"),
    Kind("queue", "queues.yml", Queue, "queue_id"),
    Kind("aux_code", "aux_codes.yml", AuxCode, "aux_id"),
    Kind("instrument", "instruments.yml", Instrument, "instrument_id"),
    Kind("qa_item", "qa_items.yml", QaItem, "item_id"),
    Kind("issue_class", "issue_classes.yml", IssueClass, "issue_class"),
    Kind("sla_target", "sla.yml", SlaTarget, "sla_id"),
    Kind("calendar", "calendars.yml", Calendar, "calendar_id"),
    Kind("parameter", "parameters.yml", Parameter, "parameter_id"),
    Kind("measures", "measures/*.yml", Measures, "measures_id", is_list=False),
    Kind("metric", "metrics/*.yml", Metric, "metric_id"),
    Kind("contradiction_rule", "contradiction_rules.yml", ContradictionRule, "rule_id"),
    Kind("reconciliation_rule", "reconciliation_rules.yml", ReconciliationRule, "rule_id"),
    Kind("integrity_rule", "integrity_rules.yml", IntegrityRule, "rule_id"),
    Kind("lexicon", "lexicons/*.yml", Lexicon, "lexicon_id", is_list=False),
    Kind("coaching_rule", "coaching_rules.yml", CoachingRule, "metric_id"),
    Kind("training_rule", "training_rules.yml", TrainingRule, "rule_id"),
    Kind("plan", "plans/*.yml", Plan, "plan_id", is_list=False),
    Kind("period", "periods.yml", Period, "period_id"),
    Kind("defaults", "defaults.yml", Defaults, is_list=False),
)


@dataclass(frozen=True)
class Catalogue:
    """Everything declared, validated one by one and against each other."""

    objects: dict[str, dict[str, Versioned]]

    def _all(self, kind: str) -> dict[str, Any]:
        return self.objects[kind]

    @property
    def site(self) -> Site:
        """The one site."""
        return next(iter(self._all("site").values()))  # type: ignore[no-any-return]

    @property
    def sources(self) -> dict[str, Source]:
        """Sources by id, in the order they are read."""
        return self._all("source")

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics by id."""
        return self._all("metric")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters of metrics by id."""
        return self._all("parameter")

    @property
    def facts(self) -> dict[str, Fact]:
        """Facts of all topics by name."""
        return {name: fact for topic in self._all("measures").values() for name, fact in topic.facts.items()}

    @property
    def measures(self) -> dict[str, Measure]:
        """Measures of all topics by name."""
        return {name: measure for topic in self._all("measures").values() for name, measure in topic.measures.items()}

    def settled_by(self, measure_id: str) -> frozenset[str]:
        """Returns every parameter the number of a measure depends on, those within its fact's columns included."""
        measure = self.measures[measure_id]
        return measure.parameters | {*measure.depends_on, *self.facts[measure.fact].depends_on}

    def settles(self, metric: Metric) -> frozenset[str]:
        """Returns every parameter the number of a metric depends on."""
        own = {*metric.depends_on, *filter(None, [metric.matures_in])}
        return frozenset(own.union(*(self.settled_by(name) for name in metric.measures)))

    @property
    def calendars(self) -> dict[str, Calendar]:
        """Calendars by id."""
        return self._all("calendar")

    @property
    def teams(self) -> dict[str, Team]:
        """Teams by id."""
        return self._all("team")

    @property
    def plans(self) -> dict[str, Plan]:
        """Plans by id."""
        return self._all("plan")

    @property
    def periods(self) -> dict[str, Period]:
        """Periods by id."""
        return self._all("period")

    @property
    def defaults(self) -> Defaults:
        """Defaults of the trust rules."""
        return self._all("defaults")["defaults"]  # type: ignore[no-any-return]


def load_catalogue(folder: Path) -> Catalogue:
    """Returns the catalogue of a `config/` folder.

    Raises:
        ConfigError: naming every file, place and problem found.
    """
    problems: list[str] = []
    objects: dict[str, dict[str, Versioned]] = {}
    for kind in KINDS:
        found = objects[kind.name] = {}
        paths = sorted(folder.glob(kind.pattern))
        if not paths:
            problems.append(f"{folder / kind.pattern}: no such file. Remedy: add it, the shipped config/ has one")
        for path in paths:
            try:
                parsed = kind.adapter.validate_python(read_yaml(path))
            except (ValidationError, yaml.YAMLError) as error:
                problems += readable_problems(path, error)
                continue
            for item in parsed if kind.is_list else [parsed]:
                identity = getattr(item, kind.identity) if kind.identity else kind.name
                if identity in found:
                    problems.append(f"{path.name}: {kind.name} {identity} is declared twice. Remedy: keep one")
                found[identity] = item
    if not problems:
        problems = _cross_check(Catalogue(objects)) or check_texts(Catalogue(objects))
    if problems:
        raise ConfigError(problems)
    return Catalogue(objects)


def readable_problems(path: Path, error: Exception) -> list[str]:
    """Returns what is wrong with a file, one line each, from the error of reading it."""
    if not isinstance(error, ValidationError):
        return [f"{path.name}: not valid YAML: {error}"]
    return [
        # A rule about a whole declaration says by itself where and what was found.
        f"{path.name}: {problem['ctx']['error']}"
        if not problem["loc"] and "error" in problem.get("ctx", {})
        else f"{path.name}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        f" (found {str(problem['input'])[:80]!r})"
        for problem in error.errors()
    ]


def _cross_check(catalogue: Catalogue) -> list[str]:
    problems = _check_sources(catalogue) + _check_calendars(catalogue) + _check_measures(catalogue)
    problems += _check_sla(catalogue)
    problems += _check_qa_items(catalogue)
    problems += _check_instruments(catalogue)
    problems += _check_coaching(catalogue)
    problems += _check_integrity_rules(catalogue)
    for metric in catalogue.metrics.values():
        problems += _check_metric(metric, catalogue)
    for plan in catalogue.plans.values():
        problems += check_plan(plan, catalogue)
    problems += check_periods(catalogue)
    for period in catalogue.periods.values():
        end = catalogue.site.end_of_business_day(period.end)
        if period.as_of < end:
            problems.append(
                f"periods.yml: {period.period_id}: as_of {period.as_of.isoformat()} lies before the period's last "
                f"business day ends, {end.isoformat()}. Remedy: give a later as_of"
            )
    return problems


def _check_calendars(catalogue: Catalogue) -> list[str]:
    defaults = [name for name, calendar in catalogue.calendars.items() if calendar.is_default]
    if len(defaults) == 1:
        return []
    return [f"calendars.yml: one calendar must say is_default: true, found {defaults}"]


def _check_sources(catalogue: Catalogue) -> list[str]:
    problems = []
    known = systems()
    for source in catalogue.sources.values():
        if source.system not in known:
            problems.append(
                f"sources.yml: {source.source_id}: system {source.system} has no connector; there are {sorted(known)}"
            )
        elif unknown := sorted(set(source.entities) - set(known[source.system].entities)):
            problems.append(
                f"sources.yml: {source.source_id}: {source.system} has no entities {unknown}; "
                f"there are {sorted(known[source.system].entities)}"
            )
        elif complete := sorted(
            name
            for name in source.overlap_minutes_of
            if name not in source.entities or known[source.system].entities[name].window_on is None
        ):
            problems.append(
                f"sources.yml: {source.source_id}: overlap_minutes_of names {complete}, which are not read by window "
                "here. Remedy: remove them"
            )
    for kind, file in (("queue", "queues.yml"), ("aux_code", "aux_codes.yml"), ("instrument", "instruments.yml")):
        owners: dict[tuple[str, str], str] = {}
        for identity, item in catalogue.objects[kind].items():
            assert isinstance(item, Queue | AuxCode | Instrument)
            if item.source_id not in catalogue.sources:
                problems.append(f"{file}: {identity}: source {item.source_id} is not declared in sources.yml")
            owner = owners.setdefault((item.source_id, item.account), identity)
            if owner != identity:
                problems.append(
                    f"{file}: {identity}: account {item.account} of {item.source_id} is that of {owner} already. "
                    "Remedy: keep one"
                )
            if isinstance(item, Queue) and item.team_id not in catalogue.objects["team"]:
                problems.append(f"{file}: {identity}: team {item.team_id} is not declared in teams.yml")
    return problems


def _check_qa_items(catalogue: Catalogue) -> list[str]:
    problems = []
    owners: dict[str, str] = {}
    for identity, item in catalogue.objects["qa_item"].items():
        assert isinstance(item, QaItem)
        for label in item.labels:
            if (owner := owners.setdefault(label, identity)) != identity:
                problems.append(f"qa_items.yml: {identity}: the label {label} is one of {owner} already")
    return problems


def _check_integrity_rules(catalogue: Catalogue) -> list[str]:
    rules = catalogue.objects["integrity_rule"]
    problems = [f"integrity_rules.yml: {rule_id} is missing" for rule_id in RULE_IDS if rule_id not in rules]
    for identity, rule in rules.items():
        assert isinstance(rule, IntegrityRule)
        named = {*rule.metric_ids, *rule.also_metric_ids}
        if unknown := sorted(named - set(catalogue.metrics)):
            problems.append(f"integrity_rules.yml: {identity}: metrics {unknown} are not declared")
        # A finding without a metric that a plan of agents can score would never reach anybody's pay.
        elif named and not any(catalogue.metrics[name].is_measured_for_agents for name in named):
            problems.append(f"integrity_rules.yml: {identity}: no metric of {sorted(named)} is measured for agents")
    return problems


def _check_coaching(catalogue: Catalogue) -> list[str]:
    problems = []
    for metric_id in catalogue.objects["coaching_rule"]:
        metric = catalogue.metrics.get(metric_id)
        if metric is None or metric.kind != "ratio" or "agent" not in metric.units:
            problems.append(f"coaching_rules.yml: {metric_id} is no ratio that is measured for agents")
    owners: dict[tuple[str, str], str] = {}
    for identity, rule in catalogue.objects["training_rule"].items():
        assert isinstance(rule, TrainingRule)
        if unknown := sorted(set(rule.metric_ids) - set(catalogue.objects["coaching_rule"])):
            problems.append(f"training_rules.yml: {identity}: metrics {unknown} are not in coaching_rules.yml")
        for pair in ((metric_id, signal) for metric_id in rule.metric_ids for signal in rule.signals):
            if (owner := owners.setdefault(pair, identity)) != identity:
                problems.append(f"training_rules.yml: {identity}: {pair[0]} {pair[1]} is one of {owner} already")
    return problems


def _check_sla(catalogue: Catalogue) -> list[str]:
    owners: dict[tuple[str, str], str] = {}
    problems = []
    for identity, target in catalogue.objects["sla_target"].items():
        assert isinstance(target, SlaTarget)
        owner = owners.setdefault((target.priority, target.clock), identity)
        if owner != identity:
            problems.append(
                f"sla.yml: {identity}: {target.priority} {target.clock} is promised by {owner} already. "
                "Remedy: keep one"
            )
    return problems


def _check_measures(catalogue: Catalogue) -> list[str]:
    problems = []
    for what in ("facts", "measures"):
        owners: dict[str, str] = {}
        for topic, declared in catalogue.objects["measures"].items():
            for name in getattr(declared, what):
                if owners.setdefault(name, topic) != topic:
                    problems.append(f"measures/{topic}.yml: {name} is one of the {what} of {owners[name]} already")
    for name in catalogue.measures:
        if unknown := sorted(catalogue.settled_by(name) - set(catalogue.parameters)):
            problems.append(f"measure {name}: parameters {unknown} are not declared in parameters.yml")
    for name, metric in catalogue.metrics.items():
        if unknown := sorted({*metric.depends_on, *filter(None, [metric.matures_in])} - set(catalogue.parameters)):
            problems.append(f"metrics: {name}: parameters {unknown} are not declared in parameters.yml")
    return problems


def _check_instruments(catalogue: Catalogue) -> list[str]:
    """Satisfaction on five levels means the same in every instrument."""
    top_box = catalogue.defaults.rating.top_box
    problems = []
    for identity, one in catalogue.objects["instrument"].items():
        assert isinstance(one, Instrument)
        has_five_levels = (one.kind, one.scale_minimum, one.scale_maximum, one.best) == ("csat", 1, 5, "high")
        if has_five_levels and set(one.top_box) != set(top_box):
            problems.append(
                f"instruments.yml: {identity}: found top_box {list(one.top_box)}, expected {list(top_box)} as"
                " rating.top_box of defaults.yml. Remedy: write the same in both"
            )
    return problems


def _check_metric(metric: Metric, catalogue: Catalogue) -> list[str]:
    measures, facts = catalogue.measures, catalogue.facts
    where = f"metrics: {metric.metric_id}"
    missing = [name for name in metric.measures if name not in measures]
    if missing:
        return [f"{where}: measures {missing} are not declared in measures/"]
    problems = []
    rules = {(measures[name].attribution, measures[name].credit) for name in metric.measures}
    if len(rules) > 1 and not metric.mixed_credit_reason:
        problems.append(
            f"{where}: its measures are dated and credited by different rules "
            f"{sorted(rules)}. Remedy: use measures of one rule, or say why in mixed_credit_reason"
        )
    for name in metric.measures:
        fitting = {"percentile": ("histogram",), "last": ("level",)}.get(metric.kind, ("sum", "distinct"))
        if measures[name].aggregate not in fitting:
            problems.append(f"{where}: a {metric.kind} is made of {' or '.join(fitting)}, and {name} is none")
    unsummed = sorted(name for name in metric.measures if measures[name].aggregate != "sum")
    is_shifted = metric.matures_in is not None and catalogue.defaults.period.late_mature == "shift"
    if is_shifted and (unsummed or not metric.measures):
        problems.append(
            f"{where}: found matures_in {metric.matures_in} on {unsummed or 'kind elsewhere'}, expected sums of days,"
            " because by period.late_mature: shift of defaults.yml a day counts where its window ends. Remedy: make the"
            " metric of sums, remove matures_in, or declare late_mature: wait"
        )
    for part, names in (("numerator", metric.numerator), ("denominator", metric.denominator)):
        units: set[str] = {unit for name in names for unit in facts[measures[name].fact].unit_kinds}
        lacking = sorted(unit for unit in metric.units if unit not in units)
        if names and lacking and not all(unit in metric.needs for unit in lacking):
            problems.append(f"{where}: its {part} has no values for {lacking}")
    if metric.has_evidence:
        sources = {measures[name].fact for name in metric.numerator + metric.denominator}
        if metric.kind != "ratio" or len(sources) != 1 or facts[next(iter(sources))].evidence is None:
            problems.append(
                f"{where}: reliability {metric.reliability} needs a ratio of measures of one fact that declares its "
                "evidence. Remedy: add evidence to the fact, or say reliability: none"
            )
    if metric.kind in ("ratio", "percentile"):
        kinds = {facts[measures[name].fact].min_n for name in metric.denominator or metric.numerator}
        for kind in sorted(kind for kind in kinds if kind):
            least = getattr(catalogue.defaults.min_n, kind)
            if metric.min_n < least:
                problems.append(
                    f"{where}: found min_n {metric.min_n}, expected the {least} of min_n.{kind} in defaults.yml or"
                    " more. Remedy: raise it"
                )
    delivered = {entity for system in systems().values() for entity in system.entities}
    for need in (need for needs in metric.needs.values() for need in needs if need.startswith("entity:")):
        if need.removeprefix("entity:") not in delivered:
            problems.append(f"{where}: no system has the entity of {need}")
    return problems


def json_schemas() -> dict[str, str]:
    """Returns the text of every JSON Schema under `config/schema/` by file name."""
    return {
        kind.schema_file: json.dumps(kind.adapter.json_schema(), indent=2, ensure_ascii=False) + "\n" for kind in KINDS
    }


def apply(warehouse: Warehouse, catalogue: Catalogue, shipped: Mapping[tuple[str, str], dict[str, Any]]) -> list[str]:
    """Writes new object versions as the plan author; returns what was written (nothing on a second run).

    Args:
        warehouse: where to.
        catalogue: what the customer declares.
        shipped: bodies by (kind, id) of what the program itself declares; their versions are counted here.

    Raises:
        ConfigError: when a version was edited after it was applied, or would reach into a closed period.
    """
    problems: list[str] = []
    written: list[str] = []
    with warehouse.connect(Role.PLAN_AUTHOR) as connection:
        known = {
            (kind, identity, version): content_hash
            for kind, identity, version, content_hash in connection.execute(
                "select kind, object_id, version, content_hash from cfg.object_version"
            )
        }
        closed = connection.execute("select period_id, period_end from payroll.closed_period").fetchall()
        rows: list[tuple[str, str, int, str, str, dict[str, Any]]] = []
        for kind, items in catalogue.objects.items():
            for identity, item in items.items():
                body = item.model_dump(mode="json", by_alias=True)
                digest = content_hash(body)
                applied = known.get((kind, identity, item.version))
                if applied == digest:
                    continue
                if applied is not None:
                    problems.append(
                        f"{kind} {identity} version {item.version} was edited after it was applied. "
                        f"Remedy: give it version {item.version + 1} and a valid_from, or undo the edit"
                    )
                    continue
                touched = [period for period, end in closed if item.valid_from <= end]
                if touched and any(key[:2] == (kind, identity) for key in known):
                    problems.append(
                        f"{kind} {identity} version {item.version} is valid from {item.valid_from}, which reaches into "
                        f"the closed period {touched[0]}. Remedy: start it after that period"
                    )
                    continue
                rows.append((kind, identity, item.version, digest, item.valid_from.isoformat(), body))
        for (kind, identity), body in shipped.items():
            latest = max((key[2] for key in known if key[:2] == (kind, identity)), default=0)
            if known.get((kind, identity, latest)) != content_hash(body):
                rows.append((kind, identity, latest + 1, content_hash(body), "1970-01-01", body))
        if problems:
            raise ConfigError(problems)
        for row in rows:
            connection.execute(
                "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
                " values (%s, %s, %s, %s, %s, %s)",
                [*row[:5], Jsonb(row[5])],
            )
            written.append(f"{row[0]} {row[1]} version {row[2]}")
    return written


def in_force(connection: Connection, kind: str, day: str) -> dict[str, Any]:
    """Returns the objects of a kind by id, in the version that was valid on a local business date (ISO text).

    A period is calculated with what is in force when it starts, also after the files have moved on.
    """
    model = next(known.model for known in KINDS if known.name == kind)
    rows = connection.execute(
        "select distinct on (object_id) object_id, body from cfg.object_version"
        " where kind = %s and valid_from <= %s::date order by object_id, version desc",
        [kind, day],
    ).fetchall()
    return {identity: model.model_validate(body) for identity, body in rows}


# What metrics are shown with: their definitions, and every value that their texts name.
_SHOWN = ("metric", "measures", "parameter", "site", "defaults")


def catalogue_on(connection: Connection, declared: Catalogue, day: date) -> Catalogue:
    """Returns the catalogue with metrics and their values as they are in force on a local business date.

    The first version holds for all days before it too, and what was never applied is as the files declare it.
    """
    models = {kind.name: kind.model for kind in KINDS if kind.name in _SHOWN}
    objects = {name: dict(items) for name, items in declared.objects.items()}
    for kind, identity, body in connection.execute(
        "select distinct on (kind, object_id) kind, object_id, body from cfg.object_version"
        " where kind = any (%(kinds)s) order by kind, object_id, valid_from <= %(day)s desc,"
        " abs(valid_from - %(day)s), version desc",
        {"kinds": list(models), "day": day},
    ):
        objects[kind][identity] = models[kind].model_validate(body)  # type: ignore[assignment]
    return Catalogue(objects)


def content_hash(body: dict[str, Any]) -> str:
    """Returns the SHA-256 of a body in canonical JSON."""
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
