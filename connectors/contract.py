"""What every connector declares and delivers: entities as data, chunks of typed rows, rejects with a remedy.

A connector is a package `connectors/<system>/` with

* `entities.yml`   the system's entities, loaded by `load_system`;
* `settings.py`    a pydantic model `Settings` of the source's options in `config/sources.yml`;
* `client.py`      `read(settings, entity, window, context)`, a generator of `Chunk`;
* `README.md`      what the system records, what it does not, and its traps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kefu.yaml_files import read_yaml


class FieldType(StrEnum):
    """Canonical types of stored columns. Instants are UTC with microseconds; `local_time` is `HH:MM:SS` text."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    LOCAL_TIME = "local_time"


ARROW_TYPES: dict[FieldType, pa.DataType] = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.decimal128(24, 6),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    FieldType.DATE: pa.date32(),
    FieldType.LOCAL_TIME: pa.string(),
}


class Personal(StrEnum):
    """Kinds of personal data. None of them is stored as it came (see `connectors.conform`)."""

    PHONE = "phone"
    EMAIL = "email"
    TEXT = "text"


class EntityField(BaseModel):
    """One allow-listed field of a source record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: FieldType = FieldType.TEXT
    description: str = Field(min_length=3)
    required: bool = False
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    personal: Personal | None = None


class Entity(BaseModel):
    """One kind of record of a system, declared as data (DESIGN 4.1).

    `key` names the fields that identify a record, or is `content` for keyless records: then the identity is a
    hash of `content_fields` plus the occurrence number within the second of `content_instant`.
    `version` is the field with the source's modified time or sequence, absent when the source has none.
    `deletes: window` says that a key which vanished from a completely read window (by `window_on`) or from a complete
    read of the source is a deletion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = Field(min_length=3)
    fields: dict[str, EntityField]
    key: tuple[str, ...] | Literal["content"]
    content_fields: tuple[str, ...] = ()
    content_instant: str | None = None
    version: str | None = None
    window_on: str | None = None
    deletes: Literal["none", "window"] = "none"
    ignored: tuple[str, ...] = ()
    keep_undeclared_values: bool = False

    @model_validator(mode="after")
    def _check(self) -> Entity:
        named = [*self.content_fields, *(self.key if self.key != "content" else ())]
        named += [name for name in (self.content_instant, self.version, self.window_on) if name]
        unknown = sorted(set(named) - set(self.fields))
        if unknown:
            raise ValueError(f"entity {self.name or self.description!r} refers to undeclared fields {unknown}")
        if self.key == "content" and not (self.content_fields and self.content_instant):
            raise ValueError("key: content needs content_fields and content_instant")
        return self

    def stored_schema(self) -> pa.Schema:
        """Arrow schema of the stored columns.

        A phone or mail field `f` appears as `f_key`, `f_masked`, `f_kind`; a text field only as `f_length`
        (characters). `_time_is_ambiguous` is true where a wall-clock time fell into a repeated hour.
        """
        columns: list[pa.Field] = []
        for name, declared in self.fields.items():
            if declared.personal is Personal.TEXT:
                columns.append(pa.field(f"{name}_length", pa.int64()))
            elif declared.personal is not None:
                columns.append(pa.field(f"{name}_key", pa.string()))
                columns.append(pa.field(f"{name}_masked", pa.string()))
                columns.append(pa.field(f"{name}_kind", pa.string()))
            else:
                columns.append(pa.field(name, ARROW_TYPES[declared.type]))
        columns.append(pa.field("_time_is_ambiguous", pa.bool_()))
        return pa.schema(columns)

    def stored_column(self, name: str) -> str:
        """Name of the stored column that stands for field `name` (the key of a personal field)."""
        personal = self.fields[name].personal
        return f"{name}_key" if personal in (Personal.PHONE, Personal.EMAIL) else name


class System(BaseModel):
    """One source system: its entities, how work reaches agents, and what it does not record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    description: str
    assignment_mode: Literal["pushed", "self_accept"] | None = None
    cannot: tuple[str, ...] = ()
    entities: dict[str, Entity]


def load_system(folder: Path) -> System:
    """Returns the system declared in `folder/entities.yml`. Raises pydantic.ValidationError on a wrong one."""
    body = read_yaml(folder / "entities.yml")
    for name, declared in body["entities"].items():
        declared["name"] = name
    return System.model_validate(body)


@dataclass(frozen=True)
class Window:
    """A half-open span of instants, start inclusive and end exclusive; both aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"window {self.start} .. {self.end}: both ends need a time zone")
        if self.start >= self.end:
            raise ValueError(f"window {self.start} .. {self.end} is empty: give a start before its end")


@dataclass(frozen=True)
class Context:
    """What a connector needs besides its own settings.

    Attributes:
        source_id: id of the source in `config/sources.yml`.
        time_zone: IANA zone of the source's wall-clock times.
        phone_region: two-letter region for numbers without a country code.
        shared_numbers: E.164 numbers of switchboards and the like, which are nobody's identity.
        customer_secret: HMAC secret of customer keys; never logged.
        keep_text: whether message text is delivered (encrypted later) or dropped at once.
        cursor: what the previous load of this entity returned, only for APIs that force a cursor.
    """

    source_id: str
    time_zone: str
    phone_region: str
    customer_secret: bytes = dataclasses.field(repr=False)
    shared_numbers: frozenset[str] = frozenset()
    keep_text: bool = True
    cursor: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reject:
    """A record that breaks the contract. `payload` is stored encrypted; the rest is readable by people."""

    locator: str
    field: str
    found: str
    expected: str
    remedy: str
    payload: dict[str, Any] = dataclasses.field(repr=False)


@dataclass
class Chunk:
    """Part of what was read. Invariant: `read == rows.num_rows + len(rejects) + sum(filtered.values())`.

    Attributes:
        rows: exactly the columns of `Entity.stored_schema()`, in the order of the source.
        rejects: records for the quarantine.
        filtered: records left out on purpose, by rule name.
        drift: undeclared fields as (name, type as found) with the number of records that carried them.
        texts: plain message text aligned with `rows` (NULL where none), by text field; empty if not kept.
        cursor: to be committed with the rows, only for APIs that force a cursor.
        faultless: name of a file that was taken as a whole; what was refused of it before is settled.
        row_numbers: the number of each of `rows` in that file, headings included; empty for other sources.
    """

    rows: pa.Table
    read: int
    rejects: list[Reject] = dataclasses.field(default_factory=list)
    filtered: dict[str, int] = dataclasses.field(default_factory=dict)
    drift: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    texts: dict[str, pa.ChunkedArray] = dataclasses.field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    faultless: str | None = None
    row_numbers: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        accounted = self.rows.num_rows + len(self.rejects) + sum(self.filtered.values())
        if accounted != self.read:
            raise ValueError(f"{self.read} records read but {accounted} accounted for")


class Reader(Protocol):
    """The one function a connector package exports as `read`."""

    def __call__(self, settings: Any, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
        """Yields what the window holds in chunks; without a window, everything."""
        ...


class SourceError(Exception):
    """The source could not be read. The message says what was tried, what came back and what to do."""
