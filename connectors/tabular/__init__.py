"""People, shifts, attendance, leave and assessments by SQL query, CSV or Excel (see README.md)."""

from connectors.tabular.client import read
from connectors.tabular.settings import SYSTEM, Settings

__all__ = ["SYSTEM", "Settings", "read"]
