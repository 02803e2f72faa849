"""Runs a step of the line and ends its process by SIGKILL at a point: `asked` is (settings, point, file of its output).

Points: `load` in the middle of a daily run's load, `build` in the middle of its facts, `appraisal` when a close has
calculated everything and recorded nothing, and every state of a close, right after the database has entered it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.contract import Chunk, Context, Entity, Reader, Window
from kefu import payroll
from kefu.catalogue.models import Source
from kefu.pipeline.context import Platform
from kefu.pipeline.run import daily
from kefu.settings import Settings
from kefu.warehouse import Role


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesReadingMessages(Platform):
    """Delivers the messages of the chat source and dies before the load can be committed."""

    def reader(self, source: Source) -> tuple[Reader, Any]:
        read, options = super().reader(source)

        def reading(settings: Any, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
            yield from read(settings, entity, window, context)
            if entity.name == "message":
                die()

        return reading, options


def die_when_facts_appear(platform: Platform) -> None:
    with platform.warehouse.connect(Role.OWNER, autocommit=True) as connection:
        while connection.execute("select 1 from pg_tables where schemaname = 'wh_core' offset 1").fetchone() is None:
            time.sleep(0.02)
    die()


def main(settings: Settings, point: str, log: Path) -> None:
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    platform = Platform(settings)
    run_id = f"killed {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    if point == "load":
        daily(DiesReadingMessages(settings), run_id)
    if point == "build":
        threading.Thread(target=die_when_facts_appear, args=[platform], daemon=True).start()
        daily(platform, run_id)
    if point in ("appraisal", *payroll.STATES):
        payroll.close_period(
            platform, platform.period().period_id, lambda line: die() if line.startswith(f"{point}:") else None
        )


if __name__ == "__main__":
    main(*globals()["asked"])
