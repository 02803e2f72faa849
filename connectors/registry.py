"""Every system that has a connector: a folder with `entities.yml` is one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from connectors.contract import System, load_system


@cache
def systems() -> dict[str, System]:
    """Returns the declared systems by name, without importing any connector's code."""
    folders = sorted(path.parent for path in Path(__file__).parent.glob("*/entities.yml"))
    return {system.system: system for system in map(load_system, folders)}
