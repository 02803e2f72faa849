"""Talking to a Metabase server: retries, first boot, the warehouse connection and its sync.

httpx and tenacity rather than the `metabase-api` package: that one has no retries or timeouts, turns error answers
into False, and knows neither dashboards nor setup, so only its login would be left to use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from bi.spec import check_catalogue, load_contract

_Answer = TypeVar("_Answer")

_PASSING = (429, 502, 503, 504)
_LONGEST_WAIT_SECONDS = 30.0


class MetabaseError(Exception):
    """Metabase refused or could not be reached; the message says what was asked, what came back and what to do."""


class _PassingError(MetabaseError):
    """A failure that another try may cure."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Metabase:
    """A connection to one server. Use it as a context manager, one writer at a time.

    Args:
        url: address of the server, such as `http://127.0.0.1:3000`.
        api_key: key of a group that may edit the collections; without one, `login` or `setup` comes first.
        attempts: how often a request is tried before its failure is raised.
        patience: multiplies the waits between tries and polls; tests set it to 0.
    """

    def __init__(self, url: str, *, api_key: str | None = None, attempts: int = 6, patience: float = 1.0) -> None:
        self.url = url
        self.patience = patience
        self._attempts = attempts
        # Card writes compute metadata and may take a while.
        self._http = httpx.Client(base_url=url, timeout=httpx.Timeout(90.0, connect=10.0))
        if api_key:
            self._http.headers["X-API-Key"] = api_key

    def __enter__(self) -> Metabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def login(self, email: str, password: str) -> None:
        """Opens a session; every later request carries it."""
        session = self._repeat(lambda _: self._send("POST", "/api/session", {"username": email, "password": password}))
        self._http.headers["X-Metabase-Session"] = session["id"]

    def get(self, path: str, **parameters: Any) -> Any:
        """Returns the JSON answer of a GET."""
        return self._repeat(lambda _: self._send("GET", path, parameters=parameters))

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Returns the JSON answer of a PUT, which may be repeated because it says the whole truth."""
        return self._repeat(lambda _: self._send("PUT", path, body))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Returns the JSON answer of a POST that does no harm when it happens twice."""
        return self._repeat(lambda _: self._send("POST", path, body))

    def create(self, path: str, body: Mapping[str, Any], find: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """Returns what a POST made.

        There is no idempotency key: after a doubtful failure (the answer was lost, the server was busy) `find` looks
        whether the object is there before it is asked for again.
        """

        def once(attempt: int) -> dict[str, Any]:
            found = find() if attempt > 1 else None
            made: dict[str, Any] = self._send("POST", path, body) if found is None else found
            return made

        return self._repeat(once)

    def sleep(self, seconds: float) -> None:
        """Waits, `patience` times as long."""
        time.sleep(seconds * self.patience)

    def _repeat(self, once: Callable[[int], _Answer]) -> _Answer:
        for attempt in Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_PassingError),
            reraise=True,
        ):
            with attempt:
                return once(attempt.retry_state.attempt_number)
        raise AssertionError("tenacity either returns or raises")

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, _PassingError) else None
        backoff = wait_exponential_jitter(initial=1, max=_LONGEST_WAIT_SECONDS)(state)
        return self.patience * min(asked if asked is not None else backoff, _LONGEST_WAIT_SECONDS)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            answer = self._http.request(method, path, json=body, params=parameters)
        except httpx.TransportError as error:
            raise _PassingError(
                f"{method} {path}: no answer from {self.url} ({error!r}). Remedy: check that Metabase runs"
            ) from error
        if answer.status_code in _PASSING:
            after = answer.headers.get("Retry-After", "")
            raise _PassingError(
                f"{method} {path}: Metabase is busy ({answer.status_code}) and stayed so. Remedy: try again later",
                float(after) if after.isdigit() else None,
            )
        if answer.is_error:
            # The body may repeat what was sent; field messages never hold the values.
            raise MetabaseError(f"{method} {path}: Metabase answered {answer.status_code}: {_complaint(answer)}")
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None


def setup(client: Metabase, *, email: str, password: str, site_name: str, site_locale: str = "zh-CN") -> bool:
    """Makes the first user on first boot, logs in, and turns anonymous tracking off.

    Returns:
        True when this call did the setup, False when the server had been set up before.
    """
    properties = client.get("/api/session/properties")
    is_first = not properties["has-user-setup"]
    if is_first:
        try:
            client.create(
                "/api/setup",
                {
                    "token": properties["setup-token"],
                    "user": {"email": email, "password": password, "first_name": "Kefu"},
                    "prefs": {"site_name": site_name, "site_locale": site_locale},
                },
                find=lambda: {} if client.get("/api/session/properties")["has-user-setup"] else None,
            )
        except MetabaseError as error:
            if " 403" not in str(error):
                raise
            is_first = False
    client.login(email, password)
    if client.get("/api/setting/anon-tracking-enabled") is not False:
        client.put("/api/setting/anon-tracking-enabled", {"value": False})
    return is_first


def register_database(
    client: Metabase, name: str, parameters: Mapping[str, str], *, rotate_password: bool = False
) -> int:
    """Returns the id of the warehouse connection, made or corrected as needed.

    Args:
        client: a logged-in administrator.
        name: how the connection is called in Metabase; it is looked for by this name.
        parameters: libpq parameters of the login for dashboards (host, port, dbname, user, password, sslmode).
        rotate_password: send the password although nothing else differs. It cannot be compared: Metabase hides it.
    """
    details = {
        "host": parameters["host"],
        "port": int(parameters["port"]),
        "dbname": parameters["dbname"],
        "user": parameters["user"],
        "ssl": parameters.get("sslmode", "disable") not in ("disable", "allow", "prefer"),
        "schema-filters-type": "inclusion",
        "schema-filters-patterns": "pub_*",
    }
    secret = {"password": parameters["password"]}

    def find() -> dict[str, Any] | None:
        return next((known for known in client.get("/api/database")["data"] if known["name"] == name), None)

    known = find()
    body = {"name": name, "engine": "postgres", "details": details | secret}
    if known is None:
        flags = {"is_full_sync": True, "is_on_demand": False, "connection_source": "admin"}
        known = client.create("/api/database", body | flags, find)
    elif rotate_password or any(known["details"].get(key) != value for key, value in details.items()):
        client.put(f"/api/database/{known['id']}", body)
    return int(known["id"])


def wait_for_sync(client: Metabase, database_id: int, *, polls: int = 60, seconds: float = 2.0) -> None:
    """Asks for a sync and returns when every published table and column is there.

    Raises:
        MetabaseError: naming what is still missing after `polls` looks.
    """
    client.post(f"/api/database/{database_id}/sync_schema")
    problems: list[str] = []
    for _ in range(polls):
        if client.get(f"/api/database/{database_id}")["initial_sync_status"] == "complete":
            problems = check_catalogue({table: tuple(found) for table, found in field_ids(client, database_id).items()})
            if not problems:
                return
        client.sleep(seconds)
    raise MetabaseError(
        f"Metabase has not synced the {len(load_contract())} published tables of database {database_id}: "
        f"{'; '.join(problems) or 'the first sync is still running'}. Remedy: run `kefu publish`, check the rights "
        "of the dashboard login, then try again"
    )


def field_ids(client: Metabase, database_id: int) -> dict[str, dict[str, int]]:
    """Returns {schema.table: {column: field id}} as Metabase knows the warehouse."""
    metadata = client.get(f"/api/database/{database_id}/metadata", include_hidden="true")
    return {
        f"{table['schema']}.{table['name']}": {field["name"]: int(field["id"]) for field in table["fields"]}
        for table in metadata["tables"]
    }


def _complaint(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:300]
    if isinstance(body, dict):
        shown: Collection[str] = ("errors", "message", "error")
        return str({key: body[key] for key in shown if key in body} or sorted(body))
    return str(body)[:300]
