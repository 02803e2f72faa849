"""Options of a tabular source: a database with one query per entity, or a folder with one file pattern per entity."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from connectors.contract import load_system

SYSTEM = load_system(Path(__file__).parent)


class Origin(BaseModel):
    """Where one entity comes from: `query` in a database, `files` in a folder.

    The result columns of `query` carry the names of the entity's fields. It may use `:window_start` and
    `:window_end`, two dates that enclose the window with a day's slack on either side.
    `files` is a glob pattern below the folder, such as `exam*`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str | None = Field(default=None, min_length=1)
    files: str | None = Field(default=None, min_length=1)


class Settings(BaseModel):
    """Options of one tabular source in `config/sources.yml`.

    Attributes:
        url: SQLAlchemy address of a database without a password.
        url_env: name of the environment variable that holds the address, when it has a password.
        folder: folder of CSV and Excel files.
        entities: where each entity comes from; a file that fits several patterns belongs to the first.
        answers_to: folder of the answer files; beside the files when absent.
        complete: entities that a query always delivers whole, whatever the window. Files are always read whole.
    """

    # A wrong address may hold a password: the message must not repeat it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str | None = None
    url_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    folder: Path | None = None
    entities: dict[str, Origin] = Field(min_length=1)
    answers_to: Path | None = None
    complete: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Settings:
        if sum(option is not None for option in (self.url, self.url_env, self.folder)) != 1:
            raise ValueError("give exactly one of url, url_env and folder")
        if unknown := sorted(set(self.entities) - set(SYSTEM.entities)):
            raise ValueError(f"unknown entities {unknown}: known are {sorted(SYSTEM.entities)}")
        if stray := sorted(set(self.complete) - set(self.entities)):
            raise ValueError(f"complete names {stray}, which this source does not deliver")
        kind, other = ("query", "files") if self.folder is None else ("files", "query")
        wrong = sorted(
            name for name, origin in self.entities.items() if getattr(origin, kind) is None or getattr(origin, other)
        )
        if wrong:
            raise ValueError(f"entities {wrong}: a source with {'url' if kind == 'query' else 'folder'} needs {kind}")
        if self.answers_to is not None and self.folder is None:
            raise ValueError("answers_to belongs to a source with folder")
        if self.url is not None:
            try:
                url = make_url(self.url)
            except ArgumentError:
                raise ValueError("url is not a database address such as sqlite:///samples/hr.sqlite3") from None
            if url.password or "password" in url.query:
                raise ValueError("url holds a password: put it into an environment variable and name that in url_env")
        return self
