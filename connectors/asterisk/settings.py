"""Options of an Asterisk source in `config/sources.yml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

TableName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$")]


class Database(BaseModel):
    """A table in a database that SQLAlchemy reaches.

    Attributes:
        url_env: name of the environment variable with the URL, the only place for one with a password.
        url: a SQLite URL, which has none.
        table: table name, `schema.table` where needed.
        time_is: `local` when times are in the source's zone, `utc` when the exchange writes UTC
            (`queue_log_realtime_use_gmt`, `usegmtime`, FreePBX CDRUSEGMT).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    url: str | None = None
    table: TableName
    time_is: Literal["local", "utc"] = "local"

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str | None) -> str | None:
        # The message must not repeat the URL: it may hold a password.
        try:
            sqlite = url is None or make_url(url).get_backend_name() == "sqlite"
        except ArgumentError:
            sqlite = False
        if not sqlite:
            raise ValueError("url takes only sqlite:///path; put any other URL in an environment variable, see url_env")
        return url

    @model_validator(mode="after")
    def _one_place(self) -> Database:
        places = [name for name in ("file", "url_env", "url") if getattr(self, name, None)]
        if len(places) != 1:
            raise ValueError(f"name one place to read from (file, url_env or url), found {places or 'none'}")
        return self


class QueueLog(Database):
    """The queue_log: `file` with its rotated siblings (always epoch seconds), or a realtime table."""

    file: Path | None = None
    table: TableName = "queue_log"


class Cdr(Database):
    """Call detail records: `file` is a Master.csv with its rotated siblings.

    Attributes:
        columns: columns of the file in order, where a site chose its own; otherwise told by their number.
        outbound_prefix: digits dialled before an outside number, taken off before numbers are compared.
        survey_pattern: regular expression (RE2) on userfield with a group `score`.
    """

    file: Path | None = None
    table: TableName = "cdr"
    columns: tuple[str, ...] | None = None
    outbound_prefix: str = Field(default="", pattern=r"^[0-9*#]*$")
    survey_pattern: str = r"(?:^|[^a-z])csat=(?P<score>[0-9]+)"

    @field_validator("survey_pattern")
    @classmethod
    def _has_score(cls, pattern: str) -> str:
        if list(re.compile(pattern).groupindex) != ["score"]:
            raise ValueError("survey_pattern needs exactly one named group, (?P<score>...)")
        return pattern


class Cel(Database):
    """Channel events, from SQL only."""

    table: TableName = "cel"


class Settings(BaseModel):
    """What of an Asterisk system is read, and from where; a part left out is not read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    queue_log: QueueLog | None = None
    cdr: Cdr | None = None
    cel: Cel | None = None
