"""Options of a Chatwoot source in `config/sources.yml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.contract import SourceError
from connectors.http import checked_address, credential


class Settings(BaseModel):
    """Access by the application API with an administrator's token.

    Attributes:
        base_url: what stands before `/api/`, such as `https://chat.example.com`.
        base_url_env: environment variable with it, where the address differs between installations.
        account_id: number of the account, as in the addresses of its pages.
        token_env: environment variable with the access token of an administrator.
        first_page: number of the first page; 1, unless a proxy in front counts from 0.
        max_pages: pages after which a read is given up as an error, never cut short in silence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str | None = None
    base_url_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    account_id: int = Field(ge=1)
    token_env: str
    first_page: int = Field(default=1, ge=0, le=1)
    max_pages: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _names_one_address(self) -> Settings:
        if (self.base_url is None) == (self.base_url_env is None):
            raise ValueError("give exactly one of base_url and base_url_env")
        return self

    def address(self) -> str:
        """Returns the base address. Raises SourceError when its variable is not set or its value cannot be used."""
        if self.base_url is not None:
            return self.base_url
        variable = str(self.base_url_env)
        value = credential(variable, "the base address of the server")
        try:
            return _checked(value)
        except ValueError as error:
            raise SourceError(f"environment variable {variable}: {error}") from None

    @field_validator("base_url")
    @classmethod
    def _keeps_the_token_private(cls, value: str | None) -> str | None:
        return None if value is None else _checked(value)


def _checked(address: str) -> str:
    return checked_address(address, "put the token into the variable of token_env")
