"""A Metabase of paper: a loopback server with the habits that API-FACTS lists, the nasty ones above all.

* PUT of a dashboard replaces all dashcards and tabs; unknown ids become new rows with new ids.
* Archiving a collection moves it to the trash with everything in it. Lists leave out archived objects; a dashboard
  leaves out dashcards whose card is archived.
* `template-tags` come back as a list, queries with new `lib/uuid` and added keys; entity ids are made here.
* Keys nobody declared are dropped, empty descriptions refused, passwords hidden, POST of dashcards ignored.
* On request it is busy (429, 503) or loses the answer to a POST that it has carried out.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
CARD_KEYS = {
    "name", "dataset_query", "display", "visualization_settings", "type", "description", "collection_id",
    "collection_position", "cache_ttl", "parameters", "archived",
}  # fmt: skip
DASHBOARD_KEYS = {
    "name", "description", "caveats", "parameters", "width", "archived", "auto_apply_filters", "collection_id",
    "collection_position", "cache_ttl", "dashcards", "tabs",
}  # fmt: skip
TRASH = "/990/"
COLLECTION_KEYS = {"name", "description", "parent_id", "archived"}


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class FakeMetabase:
    """State and behaviour; `url` is where it listens.

    Attributes:
        writes: (method, path template, body) of every write that was carried out, for the schema check.
        trouble: next answers to go wrong: a status, or `lose` to carry out and drop the connection.
        polls_until_synced: how often a database must be looked at after a sync before it is complete.
    """

    def __init__(self, tables: dict[str, list[str]]) -> None:
        self.tables = tables
        self.url = ""
        self.users: dict[str, str] = {}
        self.setup_token = secrets.token_hex(8)
        self.sessions: set[str] = set()
        self.settings: Json = {"anon-tracking-enabled": True}
        self.databases: dict[int, Json] = {}
        self.collections: dict[int, Json] = {}
        self.cards: dict[int, Json] = {}
        self.dashboards: dict[int, Json] = {}
        self.writes: list[tuple[str, str, Json]] = []
        self.trouble: list[int | str] = []
        self.polls_until_synced = 2
        self.requests = 0
        self._ids = itertools.count(1)

    # --- what clients see -------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, parameters: dict[str, str], body: Json, session: str) -> Any:
        """Returns the JSON answer of one request. Raises Refused."""
        if (method, path) == ("GET", "/api/session/properties"):
            return {"has-user-setup": bool(self.users), "setup-token": self.setup_token, "version": {"tag": "v0.63.17"}}
        if (method, path) == ("POST", "/api/setup"):
            return self._setup(body)
        if (method, path) == ("POST", "/api/session"):
            if self.users.get(body["username"]) != body["password"]:
                raise Refused(401, {"errors": {"password": "did not match stored password"}})
            return self._session()
        if session not in self.sessions:
            raise Refused(401, "Unauthenticated")
        for pattern, act in self._routes(method):
            if found := re.fullmatch(pattern, path):
                numbers = [int(part) for part in found.groups() if part.isdigit()]
                answer = act(*(numbers or found.groups()), parameters, body)
                if method in ("POST", "PUT"):
                    self.writes.append((method, re.sub(r"/\d+", "/{id}", path), body))
                return answer
        raise Refused(404, "API endpoint does not exist.")

    def _routes(self, method: str) -> list[tuple[str, Callable[..., Any]]]:
        return {
            "GET": [
                ("/api/setting/(.+)", lambda key, *_: self.settings[key]),
                ("/api/database", lambda *_: {"data": [self._hidden(d) for d in self.databases.values()], "total": 1}),
                (r"/api/database/(\d+)", self._poll),
                (r"/api/database/(\d+)/metadata", self._metadata),
                ("/api/collection", self._list_collections),
                ("/api/card", lambda p, _: self._list(self.cards, p)),
                (r"/api/card/(\d+)", lambda i, *_: self._shown_card(self.cards[i])),
                ("/api/dashboard", lambda p, _: self._list(self.dashboards, p)),
                (r"/api/dashboard/(\d+)", lambda i, *_: self._shown_dashboard(self.dashboards[i])),
            ],
            "POST": [
                ("/api/database", self._add_database),
                (r"/api/database/(\d+)/sync_schema", self._sync),
                ("/api/collection", self._add_collection),
                ("/api/card", self._add_card),
                ("/api/dashboard", self._add_dashboard),
            ],
            "PUT": [
                ("/api/setting/(.+)", lambda key, _, b: self.settings.update({key: b["value"]})),
                (r"/api/database/(\d+)", lambda i, _, b: self.databases[i].update(copy.deepcopy(b))),
                (r"/api/collection/(\d+)", self._put_collection),
                (r"/api/card/(\d+)", self._put_card),
                (r"/api/dashboard/(\d+)", self._put_dashboard),
            ],
        }.get(method, [])

    def _setup(self, body: Json) -> Json:
        if self.users:
            raise Refused(403, "The /api/setup route can only be used to create the first user")
        if body["token"] != self.setup_token:
            raise Refused(400, {"errors": {"token": "Token does not match the setup token."}})
        self.users[body["user"]["email"]] = body["user"]["password"]
        self.writes.append(("POST", "/api/setup", body))
        return self._session()

    def _session(self) -> Json:
        session = secrets.token_hex(8)
        self.sessions.add(session)
        return {"id": session}

    def _add_database(self, _: Any, body: Json) -> Json:
        made = {"id": next(self._ids), "initial_sync_status": "incomplete", "polls": 99} | copy.deepcopy(body)
        self.databases[made["id"]] = made
        return self._hidden(made)

    def _hidden(self, database: Json) -> Json:
        return database | {"details": database["details"] | {"password": "**MetabasePass**"}}

    def _sync(self, database_id: int, *_: Any) -> Json:
        self.databases[database_id]["polls"] = self.polls_until_synced
        return {"status": "ok"}

    def _poll(self, database_id: int, *_: Any) -> Json:
        database = self.databases[database_id]
        database["polls"] -= 1
        database["initial_sync_status"] = "complete" if database["polls"] <= 0 else "incomplete"
        return self._hidden(database)

    def _metadata(self, database_id: int, *_: Any) -> Json:
        counter = itertools.count(1000)
        tables = [
            {
                "schema": table.split(".")[0],
                "name": table.split(".")[1],
                "fields": [{"id": next(counter), "name": column} for column in columns],
            }
            for table, columns in self.tables.items()
        ]
        return self._hidden(self.databases[database_id]) | {"tables": tables}

    def _list_collections(self, parameters: dict[str, str], _: Any) -> list[Json]:
        wanted = parameters.get("archived") == "true"
        shown = [c for c in self.collections.values() if c["archived"] == wanted]
        return (
            shown
            if wanted
            else [{"id": "root", "name": "Our analytics", "parent_id": None, "is_personal": False}, *shown]
        )

    def _add_collection(self, _: Any, body: Json) -> Json:
        self._refuse_empty(body)
        parent = self.collections.get(body.get("parent_id") or 0)
        location = f"{parent['location']}{parent['id']}/" if parent else "/"
        made = {"id": next(self._ids), "archived": False, "location": location, "personal_owner_id": None,
                "entity_id": secrets.token_urlsafe(16)[:21]}  # fmt: skip
        self.collections[made["id"]] = made | _known(body, COLLECTION_KEYS - {"archived", "parent_id"})
        return self.collections[made["id"]]

    def _put_collection(self, collection_id: int, _: Any, body: Json) -> Json:
        self._refuse_empty(body)
        collection = self.collections[collection_id]
        was = collection["archived"]
        collection.update({"archived": False} | _known(body, COLLECTION_KEYS - {"parent_id"}))
        if collection["archived"] != was:
            parent = self.collections.get(body.get("parent_id") or 0)
            home = f"{parent['location']}{parent['id']}/" if parent else "/"
            collection["location"] = TRASH if collection["archived"] else home
            for one in [*self.cards.values(), *self.dashboards.values()]:
                if one["collection_id"] == collection_id:
                    one["archived"] = collection["archived"]
        return collection

    def _list(self, objects: dict[int, Json], parameters: dict[str, str]) -> list[Json]:
        wanted = parameters.get("f") == "archived"
        return [_without(self._shown_card(o), "dashcards", "tabs") for o in objects.values() if o["archived"] == wanted]

    def _add_card(self, _: Any, body: Json) -> Json:
        self._refuse_empty(body)
        made = {
            "id": next(self._ids),
            "archived": False,
            "entity_id": secrets.token_urlsafe(16)[:21],
            "description": None,
        }
        self.cards[made["id"]] = made | _known(body, CARD_KEYS - {"archived"})
        return self._shown_card(self.cards[made["id"]])

    def _put_card(self, card_id: int, _: Any, body: Json) -> Json:
        card = self.cards[card_id]
        if card["archived"] and body.get("archived") is not False:
            raise Refused(404, "Not found.")
        card.update({key: value for key, value in _known(body, CARD_KEYS).items() if value is not None})
        return self._shown_card(card)

    def _shown_card(self, card: Json) -> Json:
        shown = copy.deepcopy(card)
        for stage in (shown.get("dataset_query") or {}).get("stages", []):
            stage["lib/uuid"] = str(uuid.uuid4())
            tags = stage.pop("template-tags", {})
            for tag in tags.values():
                op, options, field_id = tag["dimension"]
                tag["dimension"] = [op, options | {"lib/uuid": str(uuid.uuid4()), "base-type": "type/Text"}, field_id]
            if tags:
                stage["template-tags"] = list(reversed(tags.values()))
        return shown

    def _add_dashboard(self, _: Any, body: Json) -> Json:
        self._refuse_empty(body)
        made = {
            "id": next(self._ids),
            "archived": False,
            "entity_id": secrets.token_urlsafe(16)[:21],
            "caveats": None,
            "width": "fixed",
            "auto_apply_filters": True,
            "parameters": [],
            "dashcards": [],
            "tabs": [],
        }
        made |= _known(body, {"name", "description", "collection_id", "collection_position", "cache_ttl", "parameters"})
        self.dashboards[made["id"]] = made
        return self._shown_dashboard(made)

    def _put_dashboard(self, dashboard_id: int, _: Any, body: Json) -> Json:
        dashboard, sent = self.dashboards[dashboard_id], _known(body, DASHBOARD_KEYS)
        cards, tabs = sent.pop("dashcards", None), sent.pop("tabs", [])
        dashboard.update(sent)
        if cards is None:
            return self._shown_dashboard(dashboard)
        if len({one["id"] for one in cards}) != len(cards):
            raise Refused(400, {"errors": {"dashcards": "value must be seq of maps in which ids are unique"}})
        known = {one["id"] for one in dashboard["dashcards"]}
        dashboard["tabs"] = [tab | {"id": tab["id"] if tab["id"] > 0 else next(self._ids)} for tab in tabs]
        dashboard["dashcards"] = [
            {"dashboard_tab_id": None, "inline_parameters": None, "action_id": None}
            | copy.deepcopy(one)
            | {"id": one["id"] if one["id"] in known else next(self._ids), "entity_id": secrets.token_urlsafe(16)[:21]}
            for one in cards
        ]
        return self._shown_dashboard(dashboard)

    def _shown_dashboard(self, dashboard: Json) -> Json:
        shown = copy.deepcopy(dashboard)
        shown["dashcards"] = [
            one for one in shown["dashcards"] if one["card_id"] is None or not self.cards[one["card_id"]]["archived"]
        ]
        for parameter in shown["parameters"]:
            parameter["filteringParameters"] = []
        return shown

    @staticmethod
    def _refuse_empty(body: Json) -> None:
        if body.get("description") == "":
            raise Refused(400, {"errors": {"description": "nullable value must be a non-blank string."}})

    # --- the server -------------------------------------------------------------------------------------------

    @contextmanager
    def listening(self) -> Iterator[FakeMetabase]:
        """Serves on a free loopback port."""
        fake, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

            def answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                where = urlsplit(self.path)
                parameters = {key: values[-1] for key, values in parse_qs(where.query).items()}
                with lock:
                    fake.requests += 1
                    trouble = fake.trouble.pop(0) if fake.trouble else None
                    if isinstance(trouble, int):
                        return self.reply(trouble, "busy", {"Retry-After": "0"})
                    try:
                        found = fake.handle(
                            self.command, where.path, parameters, body, self.headers.get("X-Metabase-Session", "")
                        )
                        status = 200
                    except Refused as error:
                        found, status = error.body, error.status
                    if trouble == "lose":
                        self.close_connection = True
                        return None
                return self.reply(status, found, {})

            def reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
                is_text = isinstance(body, str)
                content = body.encode() if is_text else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if is_text else "application/json;charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _known(body: Json, keys: set[str]) -> Json:
    return {key: copy.deepcopy(value) for key, value in body.items() if key in keys}


def _without(body: Json, *keys: str) -> Json:
    return {key: value for key, value in body.items() if key not in keys}
