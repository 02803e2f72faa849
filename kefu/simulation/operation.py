"""How the simulated centre works: `operation.yml` and `phrases.yml`, read once and checked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kefu.yaml_files import read_yaml

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=0)]
Language = Literal["zh-Hans", "zh-Hant", "en"]
Key = TypeVar("Key", bound=str)


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogNormal(_Declared):
    """A duration whose logarithm is normal."""

    median_seconds: float = Field(gt=0)
    spread: float = Field(ge=0)

    def draw(self, rng: np.random.Generator, factor: float = 1.0) -> int:
        """Returns whole seconds, at least one."""
        return max(1, round(factor * self.median_seconds * float(np.exp(self.spread * rng.standard_normal()))))

    def draws(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
        """Returns seconds with their fractions."""
        return self.median_seconds * np.exp(self.spread * rng.standard_normal(size))


class Line(_Declared):
    """A line of business: its teams and its queues on every channel."""

    line: str
    zh: str
    en: str


class Channel(_Declared):
    """A way in: how its queues are called and served."""

    zh: str
    en: str
    account: str
    service_level_seconds: Seconds
    served_lines: int = Field(ge=1)


class Company(_Declared):
    """Who works here."""

    team_size: int = Field(ge=2)
    reviewer_share: Share
    most_lines: int = Field(ge=1)
    roles: list[Literal["inbound", "outbound", "im", "mixed"]]
    desk_every: int
    hired_in_period_share: Share
    leaving_in_period_share: Share
    team_change_share: Share
    lines: list[Line]
    channels: dict[str, Channel]


class Holiday(_Declared):
    """A public holiday, both dates included."""

    first: dt.date = Field(alias="from")
    last: dt.date = Field(alias="to")
    name: str


class Calendar(_Declared):
    """Days that are not like others."""

    holidays: list[Holiday]
    make_up_working_days: frozenset[dt.date]
    promotions: dict[str, float]

    def is_holiday(self, date: dt.date) -> bool:
        """Returns whether a date is a public holiday."""
        return any(holiday.first <= date <= holiday.last for holiday in self.holidays)

    def is_office_day(self, date: dt.date) -> bool:
        """Returns whether offices work: weekdays without a holiday, and make-up working days."""
        return date in self.make_up_working_days or (date.weekday() < 5 and not self.is_holiday(date))


class ShiftKind(_Declared):
    """Local hours of a shift; it may end on the next day."""

    start: dt.time
    hours: float
    break_minutes: int


class LeaveType(_Declared):
    """A kind of leave and how common it is."""

    leave_type: str
    is_paid: bool
    weight: float


class Roster(_Declared):
    """Who works when."""

    shifts: dict[str, ShiftKind]
    rotation: list[str]
    office: str
    least_rest_hours: float
    holiday_rest_share: Share
    leave_share: Share
    leave_days: list[int]
    leave_types: list[LeaveType]
    leave_statuses: dict[str, Share]
    absence_share: Share
    late_share: Share
    late: LogNormal
    forgotten_clock_out_share: Share


class IssueClass(_Declared):
    """What customers want, how often, and how long it takes."""

    weight: float
    handling: float


class Demand(_Declared):
    """When customers come, and with what."""

    customers_per_contact: float
    languages: dict[Language, Share]
    repeat_allowance: Share
    hours: Annotated[list[float], Field(min_length=24, max_length=24)]
    weekdays: Annotated[list[float], Field(min_length=7, max_length=7)]
    holiday: float
    issue_classes: dict[str, IssueClass]


class Sigma(_Declared):
    """What one sigma of lost skill costs."""

    handling_log: float
    response_log: float
    rating: float
    qa_points: float


class People(_Declared):
    """How people differ."""

    handling_spread: float
    handling_day_spread: float
    response_spread: float
    response_day_spread: float
    quality_day_spread: float
    sigma: Sigma


class Resolution(_Declared):
    """What is solved, and who comes back."""

    solved_share: Share
    solved_per_quality: float
    repeat_share: Share
    repeat_after: LogNormal
    repeat_by_chat_share: Share
    most_contacts: int


class Pause(_Declared):
    """A pause of a shift."""

    state: Literal["break", "lunch", "meeting", "training"]
    at_share: Share
    seconds: Seconds
    share: Share


class Outbound(_Declared):
    """Calls that agents make."""

    ring: LogNormal
    answered_share: Share
    talk: LogNormal
    between: LogNormal
    retry_share: Share
    retry_after: LogNormal


class Voice(_Declared):
    """The telephone."""

    patience: LogNormal
    queue_timeout_seconds: Seconds
    ring: LogNormal
    missed_share: Share
    missed_ring_seconds: Seconds
    after_missed_seconds: Seconds
    talk: LogNormal
    shortest_talk_seconds: Seconds
    wrap_up_share: Share
    wrap_up: LogNormal
    longest_wrap_up_seconds: Seconds
    transfer_share: Share
    ended_by_agent_share: Share
    try_again_share: Share
    try_again_after: LogNormal
    call_back_share: Share
    outbound: Outbound
    pause_jitter_share: Share
    pauses: list[Pause]
    last_log_out_seconds: tuple[int, int]
    forgotten_log_out_share: Share


class Lunch(_Declared):
    """When an agent of chats takes nothing new."""

    at_share: Share
    jitter_share: Share
    seconds: Seconds


class Chat(_Declared):
    """Both chat systems."""

    capacity: int
    patience: LogNormal
    acceptance: LogNormal
    bot: LogNormal
    bot_solved_share: Share
    group_share: Share
    group_turns: float
    mean_turns: float
    first_reply: LogNormal
    agent_gap: LogNormal
    visitor_gap: LogNormal
    burst_gap: LogNormal
    agent_burst_share: Share
    visitor_burst_share: Share
    whisper_share: Share
    leaves_before_reply_share: Share
    transfer_share: Share
    thanks_share: Share
    thanks_answered_share: Share
    closing_gap: LogNormal
    closed_by_visitor_share: Share
    visitor_leaves_share: Share
    stale_share: Share
    waiting_stays_open_share: Share
    reopened_share: Share
    reopened_after: LogNormal
    lunch: Lunch
    last_acceptance_seconds: Seconds


class Feedback(_Declared):
    """Surveys."""

    invited_share: dict[str, Share]
    answered_share: dict[str, Share]
    answer_after: LogNormal
    least_answer_seconds: Seconds
    value: float
    value_spread: float
    value_per_quality: float
    value_per_wait_minute: float
    value_unsolved: float
    solved_given_share: Share
    thumb_given_share: Share
    comment_share: Share


class FollowUpItem(_Declared):
    """One item of the survey that is asked by hand: what it is about, and which end of its scale is best."""

    kind: Literal["ces", "resolved"]
    best: Literal["high", "low"]


class FollowUp(_Declared):
    """The survey that is asked by hand; `product_reasons` are about something else than the agent."""

    asked_share: Share
    answer_after: LogNormal
    most_answer_seconds: Seconds
    reason_share: Share
    reasons: tuple[str, ...]
    product_reasons: tuple[str, ...]
    items: dict[Literal["ease", "solved", "effort", "again"], FollowUpItem]


class Review(_Declared):
    """QA reviews."""

    per_agent_and_month: int
    by_lead_share: Share
    blind_share: Share
    form_version: str
    items: int
    item_missing_share: Share
    score: float
    score_per_quality: float
    contact_spread: float
    rater_spread: float
    item_spread: float
    fatal_share: Share
    played_share: tuple[float, float]
    after_shifts: int


class Exam(_Declared):
    """The monthly exam."""

    name_zh: str
    day_of_month: int = Field(ge=1, le=21)
    make_up_after_days: int
    score: float
    score_per_quality: float
    spread: float
    absent_share: Share
    reasons: dict[str, Share]
    make_up_share: Share


class Operation(_Declared):
    """Everything declared in operation.yml."""

    company: Company
    calendar: Calendar
    roster: Roster
    demand: Demand
    people: People
    resolution: Resolution
    voice: Voice
    chat: Chat
    feedback: Feedback
    follow_up: FollowUp
    review: Review
    exam: Exam


class NameParts(_Declared):
    """Parts of names, combined at random."""

    family: list[str]
    first: list[str]
    second: list[str] = []


class Phrases(_Declared):
    """What people write in one language."""

    visitor_opening: dict[str, list[str]]
    visitor_reply: list[str]
    visitor_more: list[str]
    visitor_thanks: list[str]
    agent_greeting: list[str]
    agent_reply: list[str]
    agent_more: list[str]
    agent_closing: list[str]
    bot_reply: list[str]
    whisper: list[str]
    comment_good: list[str]
    comment_bad: list[str]


_FOLDER = Path(__file__).parent
OPERATION = Operation.model_validate(read_yaml(_FOLDER / "operation.yml"))
_phrases = read_yaml(_FOLDER / "phrases.yml")
NAMES = {language: NameParts.model_validate(parts) for language, parts in _phrases.pop("names").items()}
PHRASES: dict[str, Phrases] = {language: Phrases.model_validate(spoken) for language, spoken in _phrases.items()}


def pick(rng: np.random.Generator, weights: dict[Key, float], size: int) -> list[Key]:
    """Returns keys drawn with their weights."""
    names = list(weights)
    share = np.array(list(weights.values()), float)
    return [names[index] for index in rng.choice(len(names), size, p=share / share.sum())]
