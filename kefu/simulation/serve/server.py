"""Fake servers on loopback: one small HTTP server for every declared system, with the habits asked for."""

from __future__ import annotations

import base64
import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from kefu.simulation.serve.declaration import Declaration, Order, Paging, Reply, Route, declaration, filled
from kefu.simulation.serve.habits import Habits, is_chosen
from kefu.simulation.world import World

CONTROL = "/_control"

Record = dict[str, Any]


class Control(BaseModel):
    """What `POST /_control` changes while the server runs.

    Attributes:
        habits: the habits from now on; without it they stay.
        renew: makes expired credentials good again.
        release: gives late records, and amended ones in their last version, from now on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    habits: Habits | None = None
    renew: bool = False
    release: bool = False


class Server:
    """One running system.

    Attributes:
        url: base address, such as `http://127.0.0.1:40123`.
        settings: what stands under `settings:` of a source that reads this server.
        environment: the variables these settings name.
        requests: path and query of every request that was answered or dropped, in order.
    """

    def __init__(self, declared: Declaration, records: dict[str, list[Record]], port: int, habits: Habits) -> None:
        self.habits = habits
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._declared = declared
        self._lists = _Lists(declared, records)
        self._lock = threading.Lock()
        self._authorised = 0
        self._pages = count(1)
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        credentials = declared.credentials
        self.settings = filled(declared.settings, {"$url": self.url})
        self.environment = filled(declared.environment, {"$secret": credentials.secret, "$user": credentials.user})
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def control(self, change: Control) -> None:
        """Changes habits, renews credentials or releases what was held back."""
        with self._lock:
            self.habits = change.habits or self.habits
            self._authorised = 0 if change.renew else self._authorised
            self._lists.is_released = self._lists.is_released or change.release

    def close(self) -> None:
        """Stops the server and frees its port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, query: dict[str, str], header: Callable[[str], str | None]) -> Reply | None:
        """Returns the reply to a GET request; None ends the connection without one."""
        with self._lock:
            self.requests.append((path, query))
            number, habits = len(self.requests), self.habits
            if _is_due(number, habits.drop_every):
                return None
            if _is_due(number, habits.busy_every):
                return self._declared.busy
            if not self._is_authorised(header):
                return self._declared.credentials.refused
            if _is_due(number, habits.error_in_200_every):
                return Reply(status=200, body=self._declared.error_in_200)
            for route in self._declared.routes:
                if match := route.pattern.fullmatch(path):
                    body = self._lists.reply(route, match.groupdict(), query, habits, self._is_empty(route))
                    return self._declared.missing if body is None else Reply(status=200, body=body)
            return self._declared.missing

    def headers(self, reply: Reply) -> dict[str, str]:
        """Returns the headers of a reply, dated by the server's clock."""
        now = datetime.now(UTC) + timedelta(seconds=self.habits.clock_skew_seconds)
        headers = {"Date": format_datetime(now, usegmt=True)}
        if reply is self._declared.busy and self.habits.retry_after:
            later = now + timedelta(seconds=self.habits.retry_after_seconds)
            as_seconds = self.habits.retry_after == "seconds"
            headers["Retry-After"] = (
                str(self.habits.retry_after_seconds) if as_seconds else format_datetime(later, usegmt=True)
            )
        return headers

    def _is_authorised(self, header: Callable[[str], str | None]) -> bool:
        credentials = self._declared.credentials
        expected = credentials.secret
        if credentials.user is not None:
            expected = "Basic " + base64.b64encode(f"{credentials.user}:{credentials.secret}".encode()).decode()
        if header(credentials.header) != expected:
            return False
        self._authorised += 1
        return self.habits.expire_after is None or self._authorised <= self.habits.expire_after

    def _is_empty(self, route: Route) -> bool:
        return route.paging is not None and _is_due(next(self._pages), self.habits.empty_page_every)


@dataclass
class Servers:
    """All running servers by system; leaving the `with` block stops them."""

    by_system: dict[str, Server] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Server:
        return self.by_system[system]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_system)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops every server."""
        for server in self.by_system.values():
            server.close()


def serve(world: World, systems: Iterable[str], port: int = 0, habits: Habits | None = None) -> Servers:
    """Starts a fake server on 127.0.0.1 for each system and returns them running.

    The first one listens on `port`, each next one on the port after it; 0 takes free ones. Raises FileNotFoundError
    for a system without a declaration and OSError when a port is taken.
    """
    servers = Servers()
    try:
        for position, system in enumerate(systems):
            declared = declaration(system)
            records = importlib.import_module(f"kefu.simulation.serve.{system}").records(world)
            servers.by_system[system] = Server(declared, records, port + position if port else 0, habits or Habits())
    except BaseException:
        servers.close()
        raise
    return servers


class _Lists:
    """The records of a system, chosen, ordered and cut as a request asks."""

    def __init__(self, declared: Declaration, records: dict[str, list[Record]]) -> None:
        self.is_released = False
        self._declared = declared
        self._records = records
        self._ordered: dict[tuple[str, str], list[Record]] = {}
        self._by_field: dict[tuple[str, str], dict[str, list[Record]]] = {}

    def reply(self, route: Route, names: dict[str, str], query: dict[str, str], habits: Habits, is_empty: bool) -> Any:
        """Returns the body, None when what the path names does not exist."""
        records = self._all(route.records, route.order, query)
        for name, of_field in route.of.items():
            records = self._parts(route.records, of_field).get(names[name], [])
            if not records:
                return None
        records = list(self._present(route.records, records, habits))
        for choice in route.choices:
            wanted = query.get(choice.parameter, choice.default)
            records = [record for record in records if wanted in (choice.everything, record[choice.field])]
        if (span := route.span) and span.start in query and span.end in query:
            start, end = int(query[span.start]), int(query[span.end])
            records = [record for record in records if start <= record[span.field] < end]
        page = cut_page(route.paging, records, query, habits) if route.paging else records
        left_out = {name for name, parameter in route.optional.items() if query.get(parameter) != "true"}
        if left_out:
            page = [{name: value for name, value in record.items() if name not in left_out} for record in page]
        return filled(route.envelope, {"$records": [] if is_empty else page, "$total": len(records)})

    def _all(self, name: str, order: Order | None, query: dict[str, str]) -> list[Record]:
        if order is None:
            return self._records[name]
        wanted = query.get(order.parameter, order.default)
        by, _, direction = wanted.rpartition("_")
        if by not in order.fields:
            # The default is ascending where the server takes a bare field.
            by, direction = (wanted, "asc") if wanted in order.fields else order.default.rpartition("_")[::2]
        if (name, wanted) not in self._ordered:
            self._ordered[name, wanted] = sorted(
                self._records[name], key=lambda record: (record[by], record["id"]), reverse=direction == "desc"
            )
        return self._ordered[name, wanted]

    def _parts(self, name: str, by: str) -> dict[str, list[Record]]:
        if (name, by) not in self._by_field:
            parts: dict[str, list[Record]] = {}
            for record in self._records[name]:
                parts.setdefault(str(record[by]), []).append(record)
            self._by_field[name, by] = parts
        return self._by_field[name, by]

    def _present(self, name: str, records: list[Record], habits: Habits) -> Iterator[Record]:
        late = habits.late_share if name in self._declared.late and not self.is_released else 0
        before = self._declared.amended.get(name, {}) if not self.is_released else {}
        for record in records:
            if late and is_chosen(late, "late", name, record["id"]):
                continue
            is_amended = before and is_chosen(habits.amended_share, "amended", name, record["id"])
            yield record | before if is_amended else record


def cut_page(paging: Paging, records: list[Record], query: dict[str, str], habits: Habits) -> list[Record]:
    """Returns the records of the page that a request asks for."""
    asked = int(query.get(paging.parameter, 0))
    size = paging.size
    if paging.size_parameter and paging.size_parameter in query:
        size = min(size, int(query[paging.size_parameter]))
    if paging.kind == "page":
        first = paging.first if habits.first_page is None else habits.first_page
        # A number before the first page, or none, means the first one.
        start = max(0, int(query.get(paging.parameter, first)) - first) * size
    elif paging.kind == "offset":
        start = asked
    elif paging.parameter in query:
        start = next((place for place, record in enumerate(records) if record["id"] > asked), len(records))
    else:
        start = max(0, len(records) - 20)
    repeated = 1 if habits.duplicates and 0 < start <= len(records) else 0
    return records[start - repeated : start + size]


def _is_due(number: int, every: int | None) -> bool:
    return every is not None and number % every == 0


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without these two every reply would wait for the acknowledgement of its first half.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == CONTROL:
                self._send(Reply(status=200, body=server.habits.model_dump()))
                return
            reply = server.answer(asked.path, dict(parse_qsl(asked.query)), self.headers.get)
            if reply is None:
                self.close_connection = True
                return
            self._send(reply)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if urlsplit(self.path).path != CONTROL:
                self._send(Reply(status=405, body=f"only {CONTROL} takes POST"))
                return
            try:
                server.control(Control.model_validate_json(content))
            except ValidationError as error:
                self._send(Reply(status=400, body=str(error)))
                return
            self._send(Reply(status=200, body=server.habits.model_dump()))

        def _send(self, reply: Reply) -> None:
            is_text = isinstance(reply.body, str)
            content = reply.body.encode() if is_text else msgspec.json.encode(reply.body)
            self.send_response_only(reply.status)
            headers = server.headers(reply) | {
                "Content-Type": "text/plain" if is_text else "application/json; charset=utf-8",
                "Content-Length": str(len(content)),
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Keeps the terminal for people."""

    return Handler
