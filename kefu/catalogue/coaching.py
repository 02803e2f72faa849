"""Models of what a lasting decline leads to: which metrics are watched, and what training fits (reliability.md 7)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kefu.catalogue.models import Declared, Id, Text, Versioned


class PracticalSize(Declared):
    """How large a change must be to matter: a share of the baseline, an amount, or standard deviations between agents.

    `absolute` is in the unit of the metric: 0.05 is 5 points of a share, 5 is 5 points of a 0-100 score.
    """

    by: Literal["relative", "absolute", "between_sd"]
    value: float = Field(gt=0)


class CoachingRule(Versioned):
    """A metric that is watched: what a drop usually comes from, and how large it must be to matter."""

    metric_id: Id
    cause: Literal["will", "skill"]
    delta: PracticalSize | None = None
    least_cases: int | None = Field(None, ge=1)


class TrainingRule(Versioned):
    """A training for some metrics and signals, with what it is expected to win back."""

    rule_id: Id
    metric_ids: tuple[Id, ...] = Field(min_length=1)
    signals: tuple[Literal["watch", "confirmed", "slow_decline"], ...] = Field(min_length=1)
    course: Text
    gain: Text

    @model_validator(mode="after")
    def _says_everything_once(self) -> Self:
        if len(set(self.metric_ids)) < len(self.metric_ids) or len(set(self.signals)) < len(self.signals):
            raise ValueError(f"training rule {self.rule_id}: a metric or signal is named twice")
        return self
