"""What to simulate: how many people, how long, where, and from which seed."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Strength = Literal["zero", "low", "middle", "high"]


def _first_of_month(date: dt.date) -> dt.date:
    if date.day != 1:
        raise ValueError(f"{date} is not the first day of a month")
    return date


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone of the IANA database, e.g. Asia/Shanghai")
    return name


class Scenario(BaseModel):
    """A simulated operation. The same scenario gives the same rows.

    Attributes:
        seed: changes everything that is left to chance.
        start: first day, the first of a month.
        months: how many calendar months.
        agents: people of all roles, those hired or leaving meanwhile included.
        time_zone: where the centre stands; its dates and shifts are local.
        contacts_per_agent_day: inbound contacts for one worked shift of a channel's agents, on average; outbound
            agents dial in proportion.
        chat_bot_share: share of the chats of Live Helper Chat that a bot begins; it greets the others and leaves them.
        strengths: how strongly each planted fault is planted; a fault that is not named has middle strength.
        follow_up: customers are also asked by hand, and the faults that are declared with it are planted. Without it
            the rows are the same, less these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=1, ge=0)
    start: Annotated[dt.date, AfterValidator(_first_of_month)] = dt.date(2026, 10, 1)
    months: int = Field(default=1, ge=1)
    agents: int = Field(default=60, ge=6, le=5000)
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "Asia/Shanghai"
    contacts_per_agent_day: float = Field(default=30, gt=0)
    chat_bot_share: float = Field(default=0, ge=0, le=1)
    strengths: dict[str, Strength] = {}
    follow_up: bool = False

    def strength(self, fault: str) -> Strength:
        """Returns how strongly a fault is planted."""
        return self.strengths.get(fault, "middle")

    @cached_property
    def month_starts(self) -> list[dt.date]:
        """First day of every month and, last, the day after the period."""
        months = (self.start.year * 12 + self.start.month - 1 + number for number in range(self.months + 1))
        return [dt.date(month // 12, month % 12 + 1, 1) for month in months]

    @property
    def end(self) -> dt.date:
        """The day after the period."""
        return self.month_starts[-1]

    def as_of(self, end: dt.date) -> dt.datetime:
        """Returns the instant, UTC, at which what ends before `end` is looked at: ten days later.

        By then nothing is open any more but chats that were left open for ever.
        """
        return dt.datetime.fromtimestamp(self.second(end + dt.timedelta(days=10)), dt.UTC)

    @cached_property
    def dates(self) -> list[dt.date]:
        """Every local date of the period."""
        return [self.start + dt.timedelta(days=day) for day in range((self.end - self.start).days)]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)

    def second(self, date: dt.date, time: dt.time = dt.time()) -> int:
        """Returns the instant of a local date and time in seconds since 1970 UTC."""
        return int(dt.datetime.combine(date, time, self.zone).timestamp())
