"""Chatwoot: conversations, messages and satisfaction answers from its application API."""

from __future__ import annotations

from pathlib import Path

from connectors.chatwoot.client import read
from connectors.chatwoot.settings import Settings
from connectors.contract import load_system

SYSTEM = load_system(Path(__file__).parent)

__all__ = ["SYSTEM", "Settings", "read"]
