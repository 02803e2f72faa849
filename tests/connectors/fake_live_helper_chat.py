"""A small Live Helper Chat REST server on 127.0.0.1 that gives recorded replies and the bad habits asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

RECORDED = Path(__file__).parents[2] / "samples/live_helper_chat/rest"
USER, KEY = "reader", "key-of-the-fake-server"


@dataclass(frozen=True)
class Reply:
    """A reply given instead of the normal one; `body` None drops the connection without an answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class FakeServer:
    """Serves the recorded chats, users and departments.

    Attributes:
        chats: as GET restapi/chats gives them, newest first; a test may change them.
        instead: replies to give, one per request, before normal ones follow.
        before_page: called with this server before each page of chats.
        empty_at: how many more times the page at an offset comes empty.
        list_count: gives what the reply says about the number of chats, after its page was cut; None leaves it out.
        largest_page: what `limit` is cut to.
        honours_offset, honours_messages: whether the server understands these parameters.
        lost: numbers of chats that the statistics no longer count.
        requests: what was asked, as (path, parameters).
    """

    def __init__(self) -> None:
        lines = (RECORDED / "chats_with_messages.jsonl").read_text(encoding="utf-8").splitlines()
        self.chats: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.lists = {
            "/restapi/getusers": json.loads((RECORDED / "users.json").read_text(encoding="utf-8")),
            "/restapi/departments": json.loads((RECORDED / "departments.json").read_text(encoding="utf-8")),
        }
        self.instead: list[Reply] = []
        self.before_page: Callable[[FakeServer], None] = lambda server: None
        self.empty_at: dict[int, int] = {}
        self.list_count: Callable[[FakeServer], object] = lambda server: len(server.chats)
        self.largest_page = 1000
        self.honours_offset = True
        self.honours_messages = True
        self.lost: set[int] = set()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def answer(self, path: str, parameters: dict[str, str], authorization: str | None) -> Reply:
        """Returns the reply to one request."""
        self.requests.append((path, parameters))
        if self.instead:
            return self.instead.pop(0)
        if authorization != "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode():
            return Reply(401, {"error": True, "result": "Authorization failed!"})
        if path in self.lists:
            return Reply(200, self.lists[path])
        if path == "/restapi/agentstatistic":
            return Reply(200, {"error": False, "result": self.statistic(parameters)})
        if path != "/restapi/chats":
            return Reply(404, "no such page")
        self.before_page(self)
        offset = int(parameters["offset"]) if self.honours_offset else 0
        page = self.chats[offset : offset + min(int(parameters["limit"]), self.largest_page)]
        if self.empty_at.get(offset, 0):
            self.empty_at[offset] -= 1
            page = []
        left_out = {
            name
            for name, parameter, honoured in (
                ("messages", "include_messages", self.honours_messages),
                ("survey", "include_survey", True),
            )
            if not honoured or parameters.get(parameter) != "true"
        }
        chats = [{name: value for name, value in chat.items() if name not in left_out} for chat in page]
        total = self.list_count(self)
        return Reply(200, {"list": chats, "error": False} | ({} if total is None else {"list_count": total}))

    def statistic(self, parameters: dict[str, str]) -> list[dict[str, Any]]:
        """Counts like the server: chats by their last owner, and closed chats by everybody who wrote in them."""
        zone = ZoneInfo("Europe/Berlin")
        first = datetime.combine(date.fromisoformat(parameters["timefrom"]), time(), zone).timestamp()
        end_of_day = time(*(int(parameters[f"timeto_{unit}"]) for unit in ("hours", "minutes", "seconds")))
        last = datetime.combine(date.fromisoformat(parameters["timeto"]), end_of_day, zone).timestamp()
        chats = [chat for chat in self.chats if first <= int(chat["time"]) <= last and int(chat["id"]) not in self.lost]
        found = []
        for user in self.lists["/restapi/getusers"]["result"]:
            own = [chat for chat in chats if int(chat["user_id"]) == int(user["id"])]
            wrote = [
                chat
                for chat in chats
                if int(chat["status"]) == 2
                and any(int(message["user_id"]) == int(user["id"]) for message in chat["messages"])
            ]
            found.append(
                {
                    "agentName": f"{user.get('name')} {user.get('surname')}",
                    "userId": user["id"],
                    # The server says "0" as text where it counted nothing.
                    "numberOfChats": len(own) or "0",
                    "numberOfChatsParticipant": len(wrote) or "0",
                    "avgWaitTime_front": "0 s.",
                }
            )
        return found


@contextmanager
def serving() -> Iterator[FakeServer]:
    """Gives a running fake server, stopped at the end."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            parameters = {name: values[-1] for name, values in parse_qs(asked.query).items()}
            reply = fake.answer(asked.path, parameters, self.headers.get("Authorization"))
            if reply.body is None:
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            content = text.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Keeps the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
