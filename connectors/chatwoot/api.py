"""The application API: pages of conversations with their messages, satisfaction answers, and short lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any

import httpx

from connectors.chatwoot.settings import Settings
from connectors.contract import SourceError, Window
from connectors.http import TIMEOUT_SECONDS, credential, patient, trust

# How often a list is gone through until it holds as many records as the server counts.
PASSES = 3

Record = dict[str, Any]
# (path below the account, parameters) -> the decoded reply
Ask = Callable[[str, dict[str, Any]], Any]
# number of a page -> (its records, how many records the server counts in all pages)
Page = Callable[[int], tuple[list[Record], int]]


@contextmanager
def account(settings: Settings) -> Iterator[Ask]:
    """Gives a function that asks for something of the account.

    It raises SourceError on a refused token, an error in any clothing, or exhausted retries.
    """
    headers = {"api_access_token": credential(settings.token_env)}
    base = f"{settings.address()}/api/v1/accounts/{settings.account_id}"
    with httpx.Client(base_url=base, headers=headers, verify=trust(), timeout=TIMEOUT_SECONDS) as client:
        get = patient(client)
        yield lambda path, parameters: _checked(get(path, parameters), path, settings)


def conversations(ask: Ask, settings: Settings, since: datetime | None) -> Iterator[tuple[list[Record], int]]:
    """Yields pages of conversations of every status, latest activity first, with the number of repeated ones.

    Without `since` all of them, else those with activity from then on. Raises SourceError when fewer come than the
    server counts, or at `max_pages`.
    """
    parameters = {"status": "all", "assignee_type": "all", "sort_by": "last_activity_at_desc"}

    def page(number: int) -> tuple[list[Record], int]:
        data = _part(ask("conversations", parameters | {"page": number}), "data", dict, "conversations")
        meta = _part(data, "meta", dict, "conversations")
        return _part(data, "payload", list, "conversations"), _part(meta, "all_count", int, "conversations")

    yield from _listed(page, settings, "conversations", None if since is None else partial(_is_older, since))


def messages(ask: Ask, conversation: Record) -> list[Record]:
    """Returns all messages of a conversation by ascending id.

    Raises SourceError when they end before the one that the list of conversations showed.
    """
    path = f"conversations/{conversation['id']}/messages"
    shown = max((int(message["id"]) for message in conversation.get("messages") or []), default=0)
    found: dict[int, Record] = {}
    last = 0
    while not shown or last < shown:
        reply = ask(path, {"after": last})
        fresh = {int(record["id"]): record for record in _part(reply, "payload", list, path) if record["id"] > last}
        if not fresh and shown:
            raise SourceError(
                f"{path}: messages end at {last}, but the list of conversations showed {shown}; the token may lack "
                "the inbox, or the message was deleted meanwhile: load again"
            )
        if not fresh:
            break
        found |= fresh
        last = max(fresh)
    return [found[number] for number in sorted(found)]


def csat_responses(ask: Ask, settings: Settings, window: Window | None) -> Iterator[tuple[list[Record], int]]:
    """Yields pages of satisfaction answers, oldest first, with the number of repeated ones.

    Raises SourceError when fewer come than the server counts, or at `max_pages`.
    """
    span = {} if window is None else {"since": _epoch(window.start), "until": _epoch(window.end)}

    # The pages are bare, so the count is asked for beside them.
    counted = ask("csat_survey_responses/metrics", span)
    total = _part(counted, "total_count", int, "csat_survey_responses/metrics")

    def page(number: int) -> tuple[list[Record], int]:
        return records_of(ask, "csat_survey_responses", span | {"sort": "created_at", "page": number}), total

    yield from _listed(page, settings, "csat_survey_responses", None)


def _listed(
    page: Page, settings: Settings, path: str, is_older: Callable[[Record], bool] | None
) -> Iterator[tuple[list[Record], int]]:
    seen: set[object] = set()
    total = 0
    # What moves to the front while we page pushes others back or is missed; another pass finds it.
    for _ in range(PASSES):
        for number in range(settings.first_page, settings.first_page + settings.max_pages):
            records, total = page(number)
            if not records and len(seen) < total:
                records, total = page(number)
            fresh = []
            for record in records:
                if (key := record.get("id")) is None or key not in seen:
                    seen.add(key)
                    fresh.append(record)
            if records:
                yield fresh, len(records) - len(fresh)
            if len(seen) >= total or (is_older and records and all(map(is_older, records))):
                return
            if not records:
                break
        else:
            raise SourceError(
                f"{path}: {settings.max_pages} pages read and still no end; raise max_pages or load shorter and newer "
                "windows"
            )
    raise SourceError(
        f"{path}: the server counts {total} records but gave {len(seen)} in {PASSES} passes; load again, and check "
        "first_page and that the token is an administrator's"
    )


def _is_older(since: datetime, conversation: Record) -> bool:
    latest = conversation.get("last_activity_at", conversation.get("timestamp"))
    return isinstance(latest, int | float) and latest < since.timestamp()


def records_of(ask: Ask, path: str, parameters: dict[str, Any]) -> list[Record]:
    """Returns a list that the server gives in one reply, bare or as `payload`."""
    reply = ask(path, parameters)
    records: list[Record] = _part({"payload": reply} if isinstance(reply, list) else reply, "payload", list, path)
    return records


def _epoch(instant: datetime) -> str:
    # Whole seconds, as the server cuts them: the first one inside the window is the next whole second.
    return str(ceil(instant.timestamp()))


def _part(body: Any, name: str, kind: type, path: str) -> Any:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, kind):
        raise SourceError(
            f"{path}: a reply without {name!r} as {kind.__name__}; expected the application API of Chatwoot, check "
            "base_url (what stands before /api/) and the server's version"
        )
    return found


def _checked(response: httpx.Response, path: str, settings: Settings) -> Any:
    if response.status_code == 401:
        raise SourceError(
            f"{path}: HTTP 401, the token of {settings.token_env} was refused or has been replaced meanwhile; take a "
            "new one from the profile settings of an administrator"
        )
    if response.status_code == 403:
        raise SourceError(
            f"{path}: HTTP 403, the owner of the token of {settings.token_env} may not read this; it must be an "
            f"administrator of account {settings.account_id}"
        )
    try:
        body = response.json()
    except ValueError:
        body = None
    problem = body.get("error") or body.get("errors") if isinstance(body, dict) else None
    if response.status_code != 200 or body is None or problem:
        said = f": {str(problem)[:200]}" if problem else ""
        raise SourceError(
            f"{path}: HTTP {response.status_code} without a usable answer{said}; check base_url and account_id "
            f"{settings.account_id}, then load again"
        )
    return body
