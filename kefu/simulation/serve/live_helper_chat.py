"""The chats of a world as the REST API of Live Helper Chat gives them: the rows of its database, nested."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kefu.simulation.world import World
from kefu.simulation.writers.live_helper_chat import write_live_helper_chat

Record = dict[str, Any]


def records(world: World) -> dict[str, list[Record]]:
    """Returns the records of every list of the API, by name, by ascending id."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.sqlite3"
        write_live_helper_chat(world, f"sqlite:///{path}")
        database = sqlite3.connect(path)
        chats, messages, surveys, users, departments = (
            _rows(database, table)
            for table in ("lh_chat", "lh_msg", "lh_abstract_survey_item", "lh_users", "lh_departament")
        )
        database.close()
    of_chat = defaultdict(list)
    for message in messages:
        of_chat[message["chat_id"]].append(message)
    rated = {survey["chat_id"]: survey for survey in surveys}
    for chat in chats:
        chat["messages"] = of_chat[chat["id"]]
        # A chat without a survey has no such field.
        chat |= {"survey": rated[chat["id"]]} if chat["id"] in rated else {}
    return {"chat": chats, "user": users, "department": departments}


def _rows(database: sqlite3.Connection, table: str) -> list[Record]:
    found = database.execute(f'select * from "{table}" order by id')
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]
