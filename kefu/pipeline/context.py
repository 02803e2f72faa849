"""What every step needs: the warehouse, the catalogue, the systems, and which calculation is meant."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from connectors.contract import Context, Entity, Reader
from connectors.registry import systems
from kefu.catalogue.files import Catalogue, load_catalogue
from kefu.catalogue.models import Period, Source
from kefu.settings import PROJECT, Settings
from kefu.warehouse import Role, Warehouse, WarehouseError
from kefu.yaml_files import read_yaml


@dataclass(frozen=True)
class Scope:
    """One calculation: what was loaded, the instant of its clocks, its period.

    Attributes:
        calc_id: `live`, or the schema a close builds in.
        data_cut: last load sequence that counts.
        as_of: business instant at which clocks are read, UTC.
        period_id, period_start, period_end: the appraisal period, local business dates as ISO text.
    """

    calc_id: str
    data_cut: int
    as_of: datetime
    period_id: str
    period_start: str
    period_end: str

    def variables(self) -> dict[str, Any]:
        """Returns the dbt variables of this calculation."""
        return {
            "calc_id": self.calc_id,
            "data_cut": self.data_cut,
            "as_of": self.as_of.isoformat().replace("+00:00", "Z"),
            "period_id": self.period_id,
            "period_start": self.period_start,
            "period_end": self.period_end,
        }

    def schema(self, layer: str) -> str:
        """Returns the schema in which the models of a layer are built."""
        return f"wh_{layer}" if self.calc_id == "live" else self.calc_id


class UnknownPeriod(WarehouseError, ValueError):
    """A period that is not declared was asked for; asking again does not make it right."""


class Platform:
    """One installation: settings, warehouse and catalogue. Paths in `config/` are relative to the project."""

    def __init__(self, settings: Settings, database: str = "kefu") -> None:
        os.chdir(PROJECT)
        self.settings = settings
        self.warehouse = Warehouse(settings, database)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The validated configuration."""
        return load_catalogue(self.settings.kefu_config_dir)

    def period(self, period_id: str | None = None) -> Period:
        """Returns the named period, or the latest declared one. Raises UnknownPeriod for one that is not declared."""
        periods = self.catalogue.periods
        if period_id and period_id not in periods:
            raise UnknownPeriod(
                f"found the period {period_id}, expected one of {sorted(periods)}. Remedy: use one of them or declare"
                " it in periods.yml"
            )
        return periods[period_id] if period_id else max(periods.values(), key=lambda period: period.end)

    def scope(self, period: Period, calc_id: str = "live") -> Scope:
        """Returns the calculation of a period over everything loaded so far."""
        with self.warehouse.connect(Role.TRANSFORMER) as connection:
            row = connection.execute("select coalesce(max(load_seq), 0) from ops.load").fetchone()
        assert row is not None
        return Scope(calc_id, row[0], period.as_of, period.period_id, period.start.isoformat(), period.end.isoformat())

    def entity(self, source_id: str, entity: str) -> tuple[Source, Entity]:
        """Returns a declared source and one of the entities it is read for.

        Raises:
            WarehouseError: when there is no such source or entity, naming those there are.
        """
        sources = self.catalogue.sources
        if source_id not in sources:
            raise WarehouseError(f"source {source_id} is not declared in sources.yml; there are {sorted(sources)}")
        source = sources[source_id]
        if entity not in source.entities:
            raise WarehouseError(
                f"source {source_id} is not read for {entity}, only for {sorted(source.entities)}. Remedy: use one of "
                "these or add it to sources.yml"
            )
        return source, systems()[source.system].entities[entity]

    def reader(self, source: Source) -> tuple[Reader, Any]:
        """Returns the connector function of a source and its validated settings."""
        module = importlib.import_module(f"connectors.{source.system}")
        options = dict(source.settings)
        if include := options.pop("include", None):
            body = read_yaml(self.settings.kefu_config_dir / include)
            options = body | options
        return module.read, module.Settings.model_validate(options)

    def context(self, source: Source) -> Context:
        """Returns what a connector needs of the installation."""
        return Context(
            source_id=source.source_id,
            time_zone=source.time_zone,
            phone_region=source.phone_region,
            shared_numbers=frozenset(source.shared_numbers),
            customer_secret=self.settings.kefu_customer_secret.get_secret_value().encode(),
            keep_text=source.text == "vault",
        )
