"""Builds `lhc.sqlite3` from the recorded tables: `python samples/live_helper_chat/make_sqlite.py [target]`."""

from __future__ import annotations

import csv
import re
import sqlite3
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
# The dump leaves lh_users out (it holds password hashes), so its numeric columns are named here.
USER_NUMBERS = {
    "id", "exclude_autoasign", "disabled", "hide_online", "all_departments", "invisible_mode",
    "inactive_mode", "rec_per_req", "auto_accept", "max_active_chats", "attr_int_1", "attr_int_2", "attr_int_3",
    "force_logout", "llogin", "always_on", "offline_reason_id", "exclude_autoasign_mails", "max_active_mails",
}  # fmt: skip


def numeric_columns(dump: str, table: str) -> set[str]:
    """Returns the columns that the server's own dump declares as a kind of integer."""
    if table == "lh_users":
        return USER_NUMBERS
    body = re.search(rf"CREATE TABLE `{table}` \((.*?)\n\)", dump, re.S)
    if body is None:
        raise ValueError(f"lhc_tables.sql: no CREATE TABLE for {table}; record the dump again with that table")
    return set(re.findall(r"^  `(\w+)` (?:tiny|big)?int", body[1], re.M))


def build(target: Path) -> None:
    """Writes the database; the same input gives the same content, row by row in the order of the ids."""
    dump = (FOLDER / "lhc_tables.sql").read_text(encoding="utf-8")
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(target)
    for path in sorted((FOLDER / "tables").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        numbers = numeric_columns(dump, path.stem)
        columns = ", ".join(f'"{name}" {"INTEGER" if name in numbers else "TEXT"} NOT NULL' for name in header)
        connection.execute(f'CREATE TABLE "{path.stem}" ({columns}, PRIMARY KEY ("id"))')
        connection.executemany(f'INSERT INTO "{path.stem}" VALUES ({", ".join("?" * len(header))})', rows)
    connection.commit()
    connection.execute("VACUUM")
    connection.close()


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "lhc.sqlite3")
