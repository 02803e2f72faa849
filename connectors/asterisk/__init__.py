"""Asterisk and FreePBX call centres: queue_log, call detail records and channel events, from files or SQL."""

from pathlib import Path

from connectors.asterisk.client import read
from connectors.asterisk.settings import Settings
from connectors.contract import load_system

SYSTEM = load_system(Path(__file__).parent)

__all__ = ["SYSTEM", "Settings", "read"]
