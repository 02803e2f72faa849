"""The server's REST API: pages of chats, newest first, with their messages and ratings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from time import sleep
from typing import Any

import httpx
import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from connectors.contract import Entity, SourceError
from connectors.live_helper_chat.settings import RestSettings
from connectors.live_helper_chat.tables import TABLES, Span, arrow_column

ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 120
TIMEOUT_SECONDS = 60
LISTS = {"user": "restapi/getusers", "department": "restapi/departments"}
IN_CHATS = ("chat", "message", "survey_item")

Record = dict[str, Any]
# (path, parameters, name of the list in the reply) -> records
Get = Callable[[str, dict[str, Any], str], list[Record]]


def batches(settings: RestSettings, entity: Entity, asked: Span | None) -> Iterator[tuple[pa.Table, dict[str, int]]]:
    """Yields the entity's records under the server's field names, with the counts of records left out.

    Nothing comes for an entity that the API does not serve (user_department, participant, survey). Chats come
    newest first; reading ends with an empty page or with the first page that is wholly older than asked for.
    Raises SourceError on refused credentials, an error reply, exhausted retries or `max_pages` pages.
    """
    if entity.name in LISTS:
        with _api(settings) as get:
            yield _table(get(LISTS[entity.name], {}, "result"), entity), {}
    elif entity.name in IN_CHATS:
        seen: set[object] = set()
        with _api(settings) as get:
            for page in _pages(get, settings, entity, asked):
                found = [record for chat in page for record in _records(chat, entity)]
                wanted = [record for record in found if _is_inside(record, entity, asked)]
                fresh = []
                for record in wanted:
                    # A chat that starts while we page pushes earlier ones onto the next page.
                    if (key := record.get("id")) is None or key not in seen:
                        seen.add(key)
                        fresh.append(record)
                repeated = len(wanted) - len(fresh)
                if wanted:
                    yield _table(fresh, entity), {"duplicate_across_pages": repeated} if repeated else {}


def _pages(get: Get, settings: RestSettings, entity: Entity, asked: Span | None) -> Iterator[list[Record]]:
    parameters = {"message": {"include_messages": "true"}, "survey_item": {"include_survey": "true"}}
    offset = 0
    for _ in range(settings.max_pages):
        query = {"limit": settings.page_size, "offset": offset} | parameters.get(entity.name, {})
        page = get("restapi/chats", query, "list")
        if not page:
            return
        if asked is None:
            yield page
        else:
            starts = [_whole(chat.get("time")) for chat in page]
            if (_whole(page[0].get("id")) or 0) < (_whole(page[-1].get("id")) or 0):
                raise SourceError(
                    f"restapi/chats: page at offset {offset} is not newest first (chat {page[0].get('id')} before "
                    f"{page[-1].get('id')}), so the end of the window cannot be told; load without a window instead"
                )
            if all(start is not None and start < asked.oldest_chat for start in starts):
                return
            yield [
                chat
                for chat, start in zip(page, starts, strict=True)
                if start is None or asked.oldest_chat <= start < asked.end
            ]
        # By what came, not by what was asked for: a server may give fewer than `limit`.
        offset += len(page)
    raise SourceError(
        f"restapi/chats: {settings.max_pages} pages of {settings.page_size} chats read and still no end "
        f"(entity {entity.name}); raise rest.max_pages or rest.page_size, or load shorter and newer windows"
    )


def _records(chat: Record, entity: Entity) -> list[Record]:
    if entity.name == "chat":
        return [chat]
    if entity.name == "survey_item":
        return [chat["survey"]] if chat.get("survey") else []
    if not chat.get("messages") and _whole(chat.get("last_msg_id")):
        raise SourceError(
            f"restapi/chats: chat {chat.get('id')} has messages (last_msg_id {chat['last_msg_id']}) but the reply "
            "carries none; the server does not honour include_messages, read its database instead"
        )
    return chat.get("messages") or []


def _is_inside(record: Record, entity: Entity, asked: Span | None) -> bool:
    if asked is None or entity.window_on is None:
        return True
    instant = _whole(record.get(TABLES[entity.name].column(entity.window_on)))
    # An unreadable instant goes on to the quarantine instead of vanishing here.
    return instant is None or asked.first <= instant < asked.end


def _whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _table(records: list[Record], entity: Entity) -> pa.Table:
    names = dict.fromkeys(name for record in records for name in record if name not in entity.ignored)
    return pa.table({name: arrow_column([record.get(name) for record in records]) for name in names})


class _Busy(Exception):
    """A reply that says: later. `after_seconds` is the server's own wish, if it gave one."""

    def __init__(self, response: httpx.Response) -> None:
        self.after_seconds = _retry_after(response.headers.get("Retry-After"))
        wish = "" if self.after_seconds is None else f" and asks to wait {self.after_seconds:.0f} s"
        super().__init__(f"HTTP {response.status_code}{wish}")


def _retry_after(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _is_worth_retrying(error: BaseException) -> bool:
    if isinstance(error, _Busy):
        return (error.after_seconds or 0) <= LONGEST_WAIT_SECONDS
    return isinstance(error, httpx.TransportError)


_backoff = wait_exponential_jitter(initial=1, max=30)


def _pause_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Busy) and error.after_seconds is not None:
        return error.after_seconds
    return _backoff(state)


def _credential(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise SourceError(f"environment variable {variable} is not set; it must hold the REST credentials")
    return value


# Reading the machine's certificates takes longer than a page, so it is done once.
_trust = cache(httpx.create_ssl_context)


@contextmanager
def _api(settings: RestSettings) -> Iterator[Get]:
    login = httpx.BasicAuth(_credential(settings.user_env), _credential(settings.key_env))
    with httpx.Client(base_url=settings.base_url, auth=login, verify=_trust(), timeout=TIMEOUT_SECONDS) as client:

        def ask(path: str, parameters: dict[str, Any]) -> httpx.Response:
            response = client.get(path, params=parameters)
            if response.status_code == 429 or response.status_code >= 500:
                raise _Busy(response)
            return response

        def get(path: str, parameters: dict[str, Any], list_name: str) -> list[Record]:
            retrying = Retrying(
                stop=stop_after_attempt(ATTEMPTS),
                wait=_pause_seconds,
                retry=retry_if_exception(_is_worth_retrying),
                sleep=sleep,
                reraise=True,
            )
            try:
                response = retrying(ask, path, parameters)
            except (_Busy, httpx.TransportError) as error:
                raise SourceError(
                    f"{path}: given up after {retrying.statistics['attempt_number']} attempts, last answer: "
                    f"{error or type(error).__name__}; load again later or check the server"
                ) from error
            return _checked(response, path, list_name, settings)

        yield get


def _checked(response: httpx.Response, path: str, list_name: str, settings: RestSettings) -> list[Record]:
    if response.status_code in (401, 403):
        raise SourceError(
            f"{path}: HTTP {response.status_code}, the credentials of {settings.user_env} and {settings.key_env} "
            "were refused; check the user name, the API key and the operator's right to use the API"
        )
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and body.get("error"):
        raise SourceError(
            f"{path}: HTTP {response.status_code} with an error: {str(body.get('result', body.get('message')))[:200]}; "
            f"check the credentials of {settings.user_env} and {settings.key_env} and the operator's rights"
        )
    found = body.get(list_name) if isinstance(body, dict) else None
    if response.status_code != 200 or not isinstance(found, list):
        raise SourceError(
            f"{path}: HTTP {response.status_code} without a list {list_name!r}; expected JSON of the REST API, "
            "check rest.base_url (what stands before restapi/)"
        )
    return found
