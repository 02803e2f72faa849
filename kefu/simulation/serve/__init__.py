"""Fake servers that give a world through the interfaces of real systems, with their habits."""

from __future__ import annotations

from kefu.simulation.serve.habits import Habits
from kefu.simulation.serve.server import Control, Server, Servers, serve

__all__ = ["Control", "Habits", "Server", "Servers", "serve"]
