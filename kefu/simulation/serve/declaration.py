"""How a system's server behaves, as data: routes, credentials, paging, envelopes and errors of one YAML file."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kefu.yaml_files import read_yaml


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reply(_Declared):
    """A reply that carries no records; a text body is sent as plain text."""

    status: int
    body: Any


class Credentials(_Declared):
    """What a request must carry: a header with the secret, or user name and secret by HTTP Basic."""

    header: str = "Authorization"
    user: str | None = None
    secret: str
    refused: Reply


class Paging(_Declared):
    """How a list comes in parts.

    Attributes:
        kind: `page` by number, `offset` with a limit, `after` by the id of the last record seen.
        parameter: the query parameter with the number, offset or id.
        first: number of the first page.
        size: records of a page, or its largest limit.
        size_parameter: the query parameter that asks for fewer.
    """

    kind: Literal["page", "offset", "after"]
    parameter: str
    first: int = 1
    size: int
    size_parameter: str | None = None


class Choice(_Declared):
    """A query parameter that keeps records by the value of a field; `everything` is the value that keeps all."""

    parameter: str
    field: str
    default: str
    everything: str


class Span(_Declared):
    """Two query parameters in epoch seconds that keep records with a field in [start, end); one alone does nothing."""

    start: str
    end: str
    field: str


class Order(_Declared):
    """A query parameter that orders records by `<field>_asc` or `<field>_desc`, or by `default` when it is missing."""

    parameter: str
    fields: tuple[str, ...]
    default: str


class Route(_Declared):
    """A list that can be asked for.

    Attributes:
        path: address; `{name}` stands for a value that `of` compares with a field of the records.
        records: name of the system's records.
        of: field of the records by name in the path.
        envelope: the reply, in which `$records` and `$total` are replaced.
        optional: fields that are given only when a query parameter is `true`, by field.
    """

    path: str
    records: str
    of: dict[str, str] = Field(default_factory=dict)
    paging: Paging | None = None
    choices: tuple[Choice, ...] = ()
    span: Span | None = None
    order: Order | None = None
    envelope: Any = "$records"
    optional: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a pattern with its names as groups."""
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))


class Declaration(_Declared):
    """One system.

    Attributes:
        system: name of the system, of its connector and of the module with its records.
        settings: what a source of `config/sources.yml` needs to read this server; `$url` is replaced.
        environment: variables that the settings name, with their values; `$secret` and `$user` are replaced.
        late: records that the habit of the same name holds back.
        amended: fields of an earlier version that the habit of the same name gives, by records.
        error_in_200: body of an error that comes with HTTP 200.
    """

    system: str
    settings: dict[str, Any]
    environment: dict[str, str]
    credentials: Credentials
    busy: Reply
    missing: Reply
    error_in_200: Any
    late: tuple[str, ...] = ()
    amended: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: tuple[Route, ...]


def declaration(system: str) -> Declaration:
    """Returns the declaration of a system. Raises FileNotFoundError when there is none."""
    return Declaration.model_validate(read_yaml(Path(__file__).with_name(f"{system}.yml")))


def filled(template: Any, values: dict[str, Any]) -> Any:
    """Returns the template with every text that is a name of `values` replaced by its value."""
    if isinstance(template, dict):
        return {name: filled(part, values) for name, part in template.items()}
    if isinstance(template, list):
        return [filled(part, values) for part in template]
    return values.get(template, template) if isinstance(template, str) else template
