"""Live Helper Chat: chats, messages and ratings from its database or its REST API, as the same rows."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import load_system
from connectors.live_helper_chat.client import read
from connectors.live_helper_chat.settings import Settings

SYSTEM = load_system(Path(__file__).parent)

__all__ = ["SYSTEM", "Settings", "read"]
