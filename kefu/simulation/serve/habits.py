"""What vendors' servers do to those who read them, each habit switched on by itself; without any a server is honest."""

from __future__ import annotations

from typing import Literal
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field


class Habits(BaseModel):
    """Habits of one server. `every` counts requests: 5 means each fifth one, so that an attempt after it succeeds.

    Attributes:
        expire_after: requests after which the credentials are refused, until they are renewed.
        busy_every: such requests get HTTP 429.
        retry_after: how 429 tells the time to wait: not at all, in seconds, or as a date of the server's clock.
        retry_after_seconds: the time it tells.
        error_in_200_every: such requests get an error inside HTTP 200.
        empty_page_every: such pages are empty although the count says that there are more.
        drop_every: such requests get no reply; the connection ends.
        duplicates: a page begins with the last record of the page before.
        late_share: share of the declared records that are missing until they are released.
        amended_share: share of the declared records that are given in an earlier version until they are released.
        first_page: number of the first page instead of the declared one.
        clock_skew_seconds: how far the server's clock is ahead in the dates of its replies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expire_after: int | None = Field(default=None, ge=0)
    busy_every: int | None = Field(default=None, ge=1)
    retry_after: Literal["seconds", "date"] | None = None
    retry_after_seconds: int = Field(default=1, ge=0)
    error_in_200_every: int | None = Field(default=None, ge=1)
    empty_page_every: int | None = Field(default=None, ge=1)
    drop_every: int | None = Field(default=None, ge=1)
    duplicates: bool = False
    late_share: float = Field(default=0, ge=0, le=1)
    amended_share: float = Field(default=0, ge=0, le=1)
    first_page: int | None = Field(default=None, ge=0, le=1)
    clock_skew_seconds: int = 0


def is_chosen(share: float, *identity: object) -> bool:
    """Returns whether a record belongs to a share of all; the same ones every time, more of them for a larger share."""
    return crc32("/".join(map(str, identity)).encode()) < share * 2**32
