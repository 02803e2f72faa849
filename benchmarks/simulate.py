"""How fast the simulator makes a whole operation, and messages in bulk.

    python benchmarks/simulate.py [--agents 60] [--months 1] [--messages 10000000]

Prints one table: rows, seconds and rows per second. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kefu.simulation.generate import bulk_messages, generate
from kefu.simulation.scenario import Scenario


def main() -> None:
    """Measures both once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=60)
    parser.add_argument("--months", type=int, default=1)
    parser.add_argument("--messages", type=int, default=10_000_000)
    asked = parser.parse_args()
    console = Console()
    results = Table("what", "rows", "seconds", "rows/s")

    def add(what: str, rows: int, seconds: float) -> None:
        results.add_row(what, f"{rows:,}", f"{seconds:.1f}", f"{rows / seconds:,.0f}")

    with console.status("simulating"):
        started = time.perf_counter()
        world = generate(Scenario(agents=asked.agents, months=asked.months))
        seconds = time.perf_counter() - started
    add(
        f"operation of {asked.agents} agents, {asked.months} months",
        sum(table.num_rows for table in world.tables.values()),
        seconds,
    )
    for name in ("call", "chat", "message"):
        add(f"  of which {name}", world.tables[name].num_rows, seconds)

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("messages in bulk", total=asked.messages)
        rows, size, started = 0, 0, time.perf_counter()
        for batch in bulk_messages(1, asked.messages):
            rows, size = rows + batch.num_rows, size + batch.nbytes
            progress.advance(task, batch.num_rows)
        add(f"messages in bulk, {size / 1e6:,.0f} MB", rows, time.perf_counter() - started)
    console.print(results)


if __name__ == "__main__":
    main()
