"""One text form for a value, whether a driver, Excel or a CSV file delivered it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_SLASHED = re.compile(r"^(\d{4})/(\d{1,2})/(\d{1,2})(?: (\d{1,2})(:\d{2}.*))?$")


def as_text(value: object) -> str:
    """Returns the text that `connectors.conform` types; '' for nothing.

    Numbers keep up to 6 decimal places, instants their offset if they have one; blanks around text are dropped.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        # MySQL's TIME and Excel's [h]:mm arrive as a span.
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace").strip()
    return str(value).strip()


def dashed_date(text: str) -> str:
    """Returns `2026-11-03 08:30` for `2026/11/3 8:30`, other text as it is.

    A spreadsheet program set to Chinese writes dates with slashes when it saves a sheet as CSV.
    """
    found = _SLASHED.match(text)
    if found is None:
        return text
    year, month, day, hour, rest = found.groups()
    return f"{year}-{month:0>2}-{day:0>2}" + (f" {hour:0>2}{rest}" if hour else "")
