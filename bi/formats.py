"""Numbers, dates and instants as a reader of one language expects them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from bi.spec import Language

_LOCALES: dict[Language, Locale] = {"zh-CN": Locale("zh", "CN", script="Hans"), "en": Locale("en", "GB")}
_DURATION_WORDS: dict[Language, tuple[str, str, str]] = {"zh-CN": ("小时", "分", "秒"), "en": ("h ", "m ", "s")}


class Formatter:
    """Formats values for one language; rounds halves away from zero, as PostgreSQL does."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._locale = _LOCALES[language]

    def number(self, value: Any, decimals: int = 0) -> str:
        """Returns a grouped decimal number, such as `1,234.5`."""
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        return format_decimal(rounded, format=f"#,##0.{'0' * decimals}", locale=self._locale)

    def value(self, value: Any, unit: str, decimals: int) -> str:
        """Returns a measured value: a share as percent, seconds as a duration, counts and scores as numbers."""
        if unit == "share":
            return self.number(100 * Decimal(value), decimals) + "%"
        if unit == "fen":
            return self.number(value / 100, 2)
        if unit == "seconds":
            return self.duration(Decimal(value), decimals)
        return self.number(value, decimals)

    def target(self, value: Any, unit: str, direction: str | None, tolerance: Any = None) -> str:
        """Returns a target with its sense, without idle zeros: `≥ 80%`, `≤ 45 s`, `10% – 30%` for a band."""
        limits = [Decimal(value)] if tolerance is None else [Decimal(value - tolerance), Decimal(value + tolerance)]
        shown = [limit * (100 if unit == "share" else 1) for limit in limits]
        decimals = max(0, *(-int(limit.normalize().as_tuple().exponent) for limit in shown))
        sense = {"higher": "≥ ", "lower": "≤ "}.get(direction or "", "")
        return sense + " – ".join(self.value(limit, unit, decimals) for limit in limits)

    def duration(self, seconds: Decimal, decimals: int) -> str:
        """Returns seconds below 100 as seconds, longer durations as `3m 25s`, `5 min` or `2h 05m`."""
        hour, minute, second = _DURATION_WORDS[self.language]
        if abs(seconds) < 100:
            return f"{self.number(seconds, decimals)}{' ' if self.language == 'en' else ''}{second}"
        whole = int(seconds.quantize(Decimal(1), ROUND_HALF_UP))
        if whole < 3600 and whole % 60 == 0:
            return f"{whole // 60}{' min' if self.language == 'en' else '分钟'}"
        if whole < 3600:
            return f"{whole // 60}{minute}{whole % 60:02d}{second}"
        return f"{whole // 3600}{hour}{whole % 3600 // 60:02d}{minute}".strip()

    def day(self, value: date) -> str:
        """Returns a date, such as `2 Nov 2026` or `2026年11月2日`."""
        return format_date(value, "d MMM y" if self.language == "en" else "y年M月d日", locale=self._locale)

    def day_of_month(self, value: date) -> str:
        """Returns a date without its year, for axes."""
        return format_date(value, "d MMM" if self.language == "en" else "M月d日", locale=self._locale)

    def instant(self, value: datetime) -> str:
        """Returns an instant in UTC to the minute."""
        pattern = "d MMM y, HH:mm" if self.language == "en" else "y年M月d日 HH:mm"
        return f"{format_datetime(value.astimezone(UTC), pattern, locale=self._locale)} UTC"

    def code(self, value: Any) -> str:
        """Returns an identifier as it is; composed values as JSON."""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
