"""Edits of a world's tables, gathered cell by cell and written once."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Row = dict[str, Any]
Numbers = npt.NDArray[np.int64]

_SECOND = 1_000_000
# A telephone rings before it is answered; nobody is free for anything else in that time.
_LONGEST_RING = 20 * _SECOND


class Draft:
    """The tables of a world under change.

    Instants are microseconds since 1970 UTC. `column` shows the tables as they were, with -1 for a NULL number;
    `row` and `value` show the pending edits too, with None. Rows are counted in the original table.
    """

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._tables = tables
        self._columns: dict[tuple[str, str], npt.NDArray[Any]] = {}
        self._places: dict[tuple[str, str], tuple[Numbers, Numbers, dict[Any, int]]] = {}
        self._edits: dict[str, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
        self._added: dict[str, list[Row]] = defaultdict(list)
        self._removed: dict[str, set[int]] = defaultdict(set)
        self._opening: list[bool] = []
        self._activities: dict[str, tuple[list[int], list[int]]] = {}
        self.touched: dict[str, set[int]] = defaultdict(set)

    # --- reading

    def column(self, table: str, name: str) -> npt.NDArray[Any]:
        """Returns a column as it was."""
        if (table, name) not in self._columns:
            found = self._tables[table].column(name)
            if not pa.types.is_string(found.type) and not pa.types.is_floating(found.type):
                found = _plain(found).fill_null(-1)
            self._columns[table, name] = found.to_numpy()
        return self._columns[table, name]

    def where(self, table: str, name: str, value: Any) -> Numbers:
        """Returns the rows that held a value, in order."""
        if (table, name) not in self._places:
            encoded = self._tables[table].column(name).combine_chunks().dictionary_encode()
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            order = np.argsort(codes, kind="stable")
            self._places[table, name] = (
                codes[order],
                order,
                {v: i for i, v in enumerate(encoded.dictionary.to_pylist())},
            )
        codes, order, numbers = self._places[table, name]
        if value not in numbers:
            return np.array([], np.int64)
        return order[np.searchsorted(codes, numbers[value]) : np.searchsorted(codes, numbers[value], "right")]

    def value(self, table: str, name: str, row: int) -> Any:
        """Returns a cell as it is now."""
        edits = self._edits[table][name]
        if row in edits:
            return edits[row]
        cell = self._tables[table].column(name)[row]
        return _plain_value(cell)

    def row(self, table: str, row: int) -> Row:
        """Returns a row as it is now."""
        return {name: self.value(table, name, row) for name in self._tables[table].column_names}

    def ids(self, table: str, rows: Iterable[int]) -> list[int]:
        """Returns the ids of rows: their first column."""
        column = self.column(table, self._tables[table].column_names[0])
        return [int(column[row]) for row in rows]

    def row_of(self, table: str, key: int) -> int:
        """Returns the row with an id."""
        return int(self.where(table, self._tables[table].column_names[0], key)[0])

    # --- writing

    def touch(self, table: str, row: int) -> None:
        """Notes that a fault stands on a row, so that no other is planted there."""
        self.touched[table].add(row)

    def set(self, table: str, row: int, **cells: Any) -> None:
        """Changes cells of a row."""
        self.touch(table, row)
        for name, value in cells.items():
            self._edits[table][name][row] = value

    def remove(self, table: str, row: int) -> None:
        """Takes a row out."""
        self.touch(table, row)
        self._removed[table].add(row)

    def add(self, table: str, **cells: Any) -> int:
        """Adds a row with the next id and returns the id."""
        names = self._tables[table].column_names
        number = int(self.column(table, names[0]).max(initial=0)) + len(self._added[table]) + 1
        self._added[table].append({names[0]: number, **cells})
        return number

    def append(self, table: str, cells: Row) -> None:
        """Adds a row to a table without ids of its own."""
        self._added[table].append(cells)

    def say(
        self, chat_id: int, author: str, agent_key: str | None, sent_at: int, text: str, *, is_first: bool = False
    ) -> None:
        """Adds a message: the last one, or the first, of those of its instant."""
        cells = {"chat_id": chat_id, "author": author, "agent_key": agent_key, "sent_at": sent_at, "text": text}
        self._opening += [is_first]
        self.add("message", **cells)

    def tables(self) -> dict[str, pa.Table]:
        """Returns the tables with all edits."""
        return {name: self._edited(name) for name in self._tables}

    def _edited(self, name: str) -> pa.Table:
        table = self._tables[name]
        for column, edits in self._edits[name].items():
            old = table.column(column)
            place = np.arange(len(old))
            place[list(edits)] = len(old) + np.arange(len(edits))
            edited = pa.chunked_array([*old.chunks, _typed(list(edits.values()), old.type)])
            table = table.set_column(table.column_names.index(column), table.schema.field(column), edited.take(place))
        if self._removed[name]:
            keep = np.ones(table.num_rows, bool)
            keep[list(self._removed[name])] = False
            table = table.filter(pa.array(keep))
        if self._added[name]:
            added = {
                field.name: _typed([row.get(field.name) for row in self._added[name]], field.type)
                for field in table.schema
            }
            table = pa.concat_tables([table, pa.table(added, schema=table.schema)])
        if name == "message" and table is not self._tables[name]:
            table = self._in_order_of_time(table)
        if name == "chat_segment" and self._added[name]:
            table = table.sort_by([("chat_id", "ascending"), ("number", "ascending")])
        return table

    def _in_order_of_time(self, messages: pa.Table) -> pa.Table:
        """Returns messages in the order of their time with new ids."""
        old = messages.num_rows - len(self._opening)
        place = np.concatenate([np.arange(old), np.where(self._opening, -1, old)])
        order = np.lexsort((place, _plain(messages["sent_at"]).to_numpy()))
        numbers = np.sort(messages["message_id"].to_numpy())
        return messages.take(order).set_column(0, messages.schema.field(0), pa.array(numbers))

    # --- what planters need to know of contacts and people

    def contact(self, channel: str, contact_id: int) -> tuple[str, int]:
        """Returns the table and row of a contact."""
        table = "call" if channel == "voice" else "chat"
        return table, self.row_of(table, contact_id)

    def customer_language(self, customer_id: int) -> str:
        """Returns the language of a customer, an added one too."""
        if len(found := self.where("customer", "customer_id", customer_id)):
            return str(self.value("customer", "language", int(found[0])))
        return next(str(row["language"]) for row in self._added["customer"] if row["customer_id"] == customer_id)

    def is_solved(self, channel: str, contact_id: int) -> bool:
        """Returns whether a contact was the last on an issue that was solved."""
        table, row = self.contact(channel, contact_id)
        issue, started = self.value(table, "issue_id", row), self.value(table, _STARTED[table], row)
        if issue is None or not self.value("issue", "is_solved", self.row_of("issue", issue)):
            return False
        return all(
            started >= self.column(other, _STARTED[other])[self.where(other, "issue_id", issue)].max(initial=0)
            for other in _STARTED
        )

    def ended_contacts(self, agent: str) -> dict[bool, int]:
        """Returns how many contacts an agent brought to an end, by whether they were solved."""
        calls, chats = self.where("call", "agent_key", agent), self.where("chat", "agent_key", agent)
        is_ended = np.isin(self.column("call", "ended_by")[calls], ["agent", "caller"])
        calls = calls[is_ended & (self.column("call", "direction")[calls] == "inbound")]
        chats = chats[(self.column("chat", "closed_at")[chats] >= 0) & (self.column("chat", "is_group")[chats] == 0)]
        solved = [self.is_solved("voice", key) for key in self.ids("call", calls.tolist())]
        solved += [self.is_solved("chat", key) for key in self.ids("chat", chats.tolist())]
        return {True: sum(solved), False: len(solved) - sum(solved)}

    def is_single_visit(self, survey_row: int) -> bool:
        """Returns whether a surveyed contact is a chat, or a call that was never passed on."""
        table, row = self.contact(
            self.value("survey", "channel", survey_row), self.value("survey", "contact_id", survey_row)
        )
        return table == "chat" or (
            self.value(table, "next_call_id", row) is None
            and not len(self.where("call", "next_call_id", self.value(table, "call_id", row)))
        )

    def rehome(self, survey_row: int, customer_id: int) -> None:
        """Makes another customer the one of a surveyed contact; the matter is then one of that customer's own."""
        table, row = self.contact(
            self.value("survey", "channel", survey_row), self.value("survey", "contact_id", survey_row)
        )
        issue = self.row("issue", self.row_of("issue", self.value(table, "issue_id", row)))
        issue |= {"customer_id": customer_id, "opened_at": self.value(table, _STARTED[table], row)}
        del issue["issue_id"]
        self.set(table, row, customer_id=customer_id, issue_id=self.add("issue", **issue))
        self.set("survey", survey_row, customer_id=customer_id)

    def remove_survey(self, channel: str, contact_id: int) -> None:
        """Takes the invitation of a contact out."""
        for row in self.where("survey", "contact_id", contact_id).tolist():
            if self.value("survey", "channel", row) == channel:
                self.remove("survey", row)

    def move_wrap_up(self, agent: str, old_start: int, start: int) -> None:
        """Lets the wrap-up that began at one instant begin at another, as long as it was."""
        for row in self.where("agent_state", "agent_key", agent).tolist():
            if (
                self.column("agent_state", "started_at")[row] == old_start
                and self.value("agent_state", "state", row) == "acw"
            ):
                ended_at = self.value("agent_state", "ended_at", row) + start - old_start
                self.set("agent_state", row, started_at=start, ended_at=ended_at)

    def messages_of(self, chat_id: int) -> list[int]:
        """Returns the rows of a chat's messages in their order, without those taken out."""
        rows = self.where("message", "chat_id", chat_id)
        rows = rows[np.argsort(self.column("message", "message_id")[rows], kind="stable")]
        return [row for row in rows.tolist() if row not in self._removed["message"]]

    def busy_from(self, agent: str, instant: int) -> int:
        """Returns when an agent of telephones is next rung, dials, pauses or logs out after an instant."""
        if agent not in self._activities:
            calls, missed = self.where("call", "agent_key", agent), self.where("ring_no_answer", "agent_key", agent)
            states = self.where("agent_state", "agent_key", agent)
            is_log_in = self.column("agent_state", "state")[states] == "on_queue"
            is_outbound = self.column("call", "direction")[calls] == "outbound"
            starts = [
                self.column("call", "entered_at")[calls[is_outbound]],
                self.column("ring_no_answer", "started_at")[missed],
                self.column("agent_state", "started_at")[states[~is_log_in]],
                self.column("agent_state", "ended_at")[states[is_log_in]],
                # Who forgets to log out goes home at the end of the shift.
                self.column("shift", "end_at")[self.where("shift", "agent_key", agent)],
            ]
            answers = self.column("call", "answered_at")[calls[~is_outbound]]
            self._activities[agent] = np.sort(np.concatenate(starts)).tolist(), np.sort(answers).tolist()
        started, answered = (_next(moments, instant) for moments in self._activities[agent])
        return min(started, max(instant, answered - _LONGEST_RING))


def _next(moments: list[int], instant: int) -> int:
    """Returns the first of some sorted moments from an instant on, or the end of time."""
    place = bisect_left(moments, instant)
    return moments[place] if place < len(moments) else np.iinfo(np.int64).max


_STARTED = {"call": "entered_at", "chat": "started_at"}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns a column of instants, dates, flags or whole numbers as whole numbers."""
    return column.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date(column.type) else column.cast(pa.int64())


def _plain_value(cell: pa.Scalar) -> Any:
    if pa.types.is_timestamp(cell.type):
        return cell.value
    return cell.as_py()


def _typed(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
