"""The server's REST API: pages of chats, newest first, with their messages and ratings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pyarrow as pa

from connectors.contract import Entity, SourceError
from connectors.http import TIMEOUT_SECONDS, credential, patience, patient, trust
from connectors.live_helper_chat.settings import RestSettings
from connectors.live_helper_chat.tables import TABLES, Span, arrow_column

# How often a page that comes empty too early is asked for.
PAGE_ATTEMPTS = 4
LISTS = {"user": "restapi/getusers", "department": "restapi/departments"}
IN_CHATS = ("chat", "message", "survey_item")
STATISTIC = "restapi/agentstatistic"
ONLY_BY_REST = ("agent_statistic",)

Record = dict[str, Any]
# (path, parameters, name of the list that the reply must have) -> the decoded reply
Get = Callable[[str, dict[str, Any], str], dict[str, Any]]


class _EmptyPage(SourceError):
    """A page without chats although the server counts more than stand before it."""


def batches(
    settings: RestSettings, entity: Entity, asked: Span | None, time_zone: str
) -> Iterator[tuple[pa.Table, dict[str, int]]]:
    """Yields the entity's records under the server's field names, with the counts of records left out.

    Nothing comes for an entity that the API does not serve (user_department, participant, survey). Chats come
    newest first; reading ends with an empty page or with the first page that is wholly older than asked for. The
    server's statistics are asked for each local day on which a chat began.
    Raises SourceError on refused credentials, an error reply, exhausted retries, `max_pages` pages, or a page that
    stays empty although the server counts more chats.
    """
    if entity.name in LISTS:
        with _api(settings) as get:
            yield _table(get(LISTS[entity.name], {}, "result")["result"], entity), {}
    elif entity.name in ONLY_BY_REST:
        with _api(settings) as get:
            starts = [_whole(chat.get("time")) for page in _pages(get, settings, entity, asked) for chat in page]
            zone = ZoneInfo(time_zone)
            days = {datetime.fromtimestamp(start, UTC).astimezone(zone).date() for start in starts if start}
            for day in sorted(days):
                if records := _statistic(get, entity, asked, day, zone):
                    yield _table(records, entity), {}
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


def _statistic(get: Get, entity: Entity, asked: Span | None, day: date, zone: ZoneInfo) -> list[Record]:
    """What the server counts of one local day; nothing for a day that begins outside of what is asked for."""
    first, end = (int(datetime(one.year, one.month, one.day, tzinfo=zone).timestamp()) for one in _with_next(day))
    bounds: Record = {"day_start": first, "day_end": end}
    if not _is_inside(bounds, entity, asked):
        return []
    last = {"timeto": day.isoformat(), "timeto_hours": 23, "timeto_minutes": 59, "timeto_seconds": 59}
    return [record | bounds for record in get(STATISTIC, {"timefrom": day.isoformat()} | last, "result")["result"]]


def _with_next(day: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)


def _pages(get: Get, settings: RestSettings, entity: Entity, asked: Span | None) -> Iterator[list[Record]]:
    parameters = {"message": {"include_messages": "true"}, "survey_item": {"include_survey": "true"}}
    offset = 0
    for _ in range(settings.max_pages):
        query = {"limit": settings.page_size, "offset": offset} | parameters.get(entity.name, {})
        page = _page(get, query)
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


def _page(get: Get, query: dict[str, Any]) -> list[Record]:
    def ask() -> list[Record]:
        reply = get("restapi/chats", query, "list")
        page: list[Record] = reply["list"]
        # Counted anew with each reply: after deletions the offset stands at or beyond the count, which is the end.
        total = _whole(reply.get("list_count"))
        if not page and total is not None and query["offset"] < total:
            raise _EmptyPage(
                f"restapi/chats: the page at offset {query['offset']} came empty {PAGE_ATTEMPTS} times although the "
                f"server counts {total} chats; load again later, and if it stays empty, read the server's database "
                "instead"
            )
        return page

    return patience(PAGE_ATTEMPTS, lambda error: isinstance(error, _EmptyPage))(ask)


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


@contextmanager
def _api(settings: RestSettings) -> Iterator[Get]:
    login = httpx.BasicAuth(credential(settings.user_env), credential(settings.key_env))
    with httpx.Client(base_url=settings.base_url, auth=login, verify=trust(), timeout=TIMEOUT_SECONDS) as client:
        get = patient(client)
        yield lambda path, parameters, list_name: _checked(get(path, parameters), path, list_name, settings)


def _checked(response: httpx.Response, path: str, list_name: str, settings: RestSettings) -> dict[str, Any]:
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
    if response.status_code != 200 or not isinstance(body, dict) or not isinstance(body.get(list_name), list):
        raise SourceError(
            f"{path}: HTTP {response.status_code} without a list {list_name!r}; expected JSON of the REST API, "
            "check rest.base_url (what stands before restapi/)"
        )
    return body
