"""Asking an HTTP API with patience: which answers are worth asking again for, and how long to wait before."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from time import sleep
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from connectors.contract import SourceError

# Together the pauses outlast a limit that counts requests per minute and names no time to wait.
ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 120
TIMEOUT_SECONDS = 60

# Reading the machine's certificates takes longer than a page, so it is done once.
trust = cache(httpx.create_ssl_context)


class Busy(Exception):
    """A reply that says: later. `after_seconds` is the server's own wish, if it gave one."""

    def __init__(self, response: httpx.Response) -> None:
        self.after_seconds = _retry_after(response.headers)
        wish = "" if self.after_seconds is None else f" and asks to wait {self.after_seconds:.0f} s"
        super().__init__(f"HTTP {response.status_code}{wish}")


def patient(client: httpx.Client) -> Callable[[str, dict[str, Any]], httpx.Response]:
    """Returns a function `get(path, parameters)` that asks again after 429, 5xx and broken connections.

    It raises SourceError after the last attempt, or at once when the server wants a longer wait than
    `LONGEST_WAIT_SECONDS`. Any other reply is returned as it came.
    """

    def ask(path: str, parameters: dict[str, Any]) -> httpx.Response:
        response = client.get(path, params=parameters)
        if response.status_code == 429 or response.status_code >= 500:
            raise Busy(response)
        return response

    def get(path: str, parameters: dict[str, Any]) -> httpx.Response:
        retrying = patience(ATTEMPTS, _is_worth_retrying)
        try:
            return retrying(ask, path, parameters)
        except (Busy, httpx.TransportError) as error:
            raise SourceError(
                f"{path}: given up after {retrying.statistics['attempt_number']} attempts, last answer: "
                f"{error or type(error).__name__}; load again later or check the server"
            ) from error

    return get


def patience(attempts: int, is_worth_retrying: Callable[[BaseException], bool]) -> Retrying:
    """Returns what calls a function again after such errors, with growing pauses; the last error is raised."""
    return Retrying(
        stop=stop_after_attempt(attempts),
        wait=_pause_seconds,
        retry=retry_if_exception(is_worth_retrying),
        sleep=sleep,
        reraise=True,
    )


def credential(variable: str, content: str = "the credentials of the API") -> str:
    """Returns a value from the environment. Raises SourceError, saying what it must hold, when it is not set."""
    value = os.environ.get(variable)
    if not value:
        raise SourceError(f"environment variable {variable} is not set; it must hold {content}")
    return value


def checked_address(value: str, remedy: str) -> str:
    """Returns a base address without its last slash.

    ValueError, which never shows the value, for one that cannot be used, is open to others or holds credentials;
    `remedy` says where those belong.
    """
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError("the address cannot be parsed; expected https://host") from None
    if url.userinfo:
        raise ValueError(f"the address holds credentials: {remedy}")
    if url.scheme != "https" and not (url.scheme == "http" and url.host in ("127.0.0.1", "localhost")):
        raise ValueError("the address must begin with https:// (http:// is for this machine only)")
    if not url.host or (url.port or 0) > 65535 or any(map(str.isspace, value)):
        raise ValueError("the address cannot be used; expected https://host, or https://host:port")
    return value.rstrip("/")


def _retry_after(headers: httpx.Headers) -> float | None:
    wish = headers.get("Retry-After")
    if wish is None:
        return None
    try:
        return max(0.0, float(wish))
    except ValueError:
        pass
    try:
        # A date is the server's, so it is read by the server's clock where it tells the time.
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        wanted: float = (parsedate_to_datetime(wish) - now).total_seconds()
        return max(0.0, wanted)
    except (TypeError, ValueError):
        return None


def _is_worth_retrying(error: BaseException) -> bool:
    if isinstance(error, Busy):
        return (error.after_seconds or 0) <= LONGEST_WAIT_SECONDS
    return isinstance(error, httpx.TransportError)


_backoff = wait_exponential_jitter(initial=1, max=30)


def _pause_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Busy) and error.after_seconds is not None:
        return error.after_seconds
    return _backoff(state)
