"""Options of a Live Helper Chat source in `config/sources.yml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.http import checked_address


class RestSettings(BaseModel):
    """Access by the REST API with an operator's user name and API key.

    Attributes:
        base_url: what stands before `restapi/`, such as `https://chat.example.com/index.php`.
        user_env: environment variable with the user name.
        key_env: environment variable with the API key.
        page_size: chats asked for at once.
        max_pages: pages after which a read is given up as an error, never cut short in silence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str
    user_env: str
    key_env: str
    page_size: int = Field(default=100, ge=1)
    max_pages: int = Field(default=1000, ge=1)

    @field_validator("base_url")
    @classmethod
    def _keeps_the_key_private(cls, value: str) -> str:
        return checked_address(value, "put them into the variables of user_env and key_env")


class Settings(BaseModel):
    """Exactly one way of access, and how long a chat can still change.

    Attributes:
        url: SQLAlchemy URL of an SQLite copy, such as `sqlite:///samples/live_helper_chat/lhc.sqlite3`.
        url_env: environment variable with the URL of the server's MariaDB (or PostgreSQL, SQLite).
        rest: access by the REST API instead.
        lookback_days: a window of messages or ratings covers chats that started at most so many days before it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str | None = None
    url_env: str | None = None
    rest: RestSettings | None = None
    lookback_days: int = Field(default=7, ge=1)

    @field_validator("url")
    @classmethod
    def _is_without_password(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("sqlite:///"):
            raise ValueError("url is for sqlite:/// only: name the variable of a server's URL in url_env")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Settings:
        if sum(way is not None for way in (self.url, self.url_env, self.rest)) != 1:
            raise ValueError("give exactly one of url, url_env and rest")
        return self
