"""Disputes about a published score: who says what is wrong, who decides, and what it does to the score."""

from __future__ import annotations

from typing import Any

from kefu.payroll.close import APPROVER, CHECKER
from kefu.payroll.login import CloseRefused, call, fetch
from kefu.pipeline.context import Platform

OUTCOMES = ("upheld", "row_excluded", "value_corrected", "rescored_blind")
COMPOSITE = ("composite", "composite")


def submit(
    platform: Platform,
    period_id: str,
    agent_key: str,
    claim: str,
    about: tuple[str, str] = COMPOSITE,
    login: str = CHECKER,
) -> int:
    """Records what an agent disputes: a row, a metric's value, a gate, or the composite.

    Args:
        platform: the installation.
        period_id: the period; its scores are published or it is closed.
        agent_key: HR id of the agent.
        claim: what is wrong, in the agent's words.
        about: kind (rating, review, attendance, metric, gate or composite) and key, as the agent's card names it; of
            a gate the key of the verified fact behind it.
        login: who records it for the agent.

    Returns:
        The number of the dispute.

    Raises:
        CloseRefused: that is nothing of this agent in the period, or the period takes no dispute now.
    """
    return int(call(platform, login, "submit_dispute", [period_id, agent_key, *about, claim])["submit_dispute"])


def triage(platform: Platform, dispute_id: int, note: str, login: str = CHECKER) -> None:
    """Takes a dispute up; from now on evidence is collected and the time to decide runs."""
    call(platform, login, "triage_dispute", [dispute_id, note])


def evidence(platform: Platform, dispute_id: int, note: str, login: str = CHECKER) -> None:
    """Adds what was found out, or where it is filed."""
    call(platform, login, "add_evidence", [dispute_id, note])


def decide(platform: Platform, dispute_id: int, outcome: str, note: str, login: str = APPROVER) -> None:
    """Decides a dispute as somebody who neither gave nor got the score, nor submitted or calculated it.

    `upheld` leaves the score. The other outcomes change it: before the lock the period is cut and calculated again,
    after it the period is restated.

    Raises:
        CloseRefused: the login may not decide this dispute, or it is in another state.
    """
    if outcome not in OUTCOMES:
        raise CloseRefused(f"found the outcome {outcome}, expected one of {', '.join(OUTCOMES)}. Remedy: use one")
    call(platform, login, "decide_dispute", [dispute_id, outcome, note])


def appeal(platform: Platform, dispute_id: int, note: str, login: str = CHECKER) -> None:
    """Takes a decision to the second level, once, where somebody else decides."""
    call(platform, login, "appeal_dispute", [dispute_id, note])


def close(platform: Platform, dispute_id: int, note: str, login: str = CHECKER) -> None:
    """Ends a dispute that the agent takes back, or whose decision the agent accepts."""
    call(platform, login, "close_dispute", [dispute_id, note])


def person(platform: Platform, whose: str, agent_key: str, login: str = CHECKER) -> None:
    """Records which person a login belongs to, by HR id; nobody does that for himself."""
    call(platform, login, "record_person", [whose, agent_key])


def listed(platform: Platform, only_open: bool = False) -> list[dict[str, Any]]:
    """Returns the disputes with state, deadline and outcome, the oldest first; `is_overdue` by the database's clock."""
    return fetch(
        platform, "select * from payroll.dispute_status where is_open or not %s order by dispute_id", [only_open]
    )
