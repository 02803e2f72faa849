"""Closing a period, step by step: calculated in a schema of its own, sealed by the database, exported and signed.

Every step is a function of the database that compares authenticated logins; what is here drives them and does what a
database cannot: the calculation, the files, the signature.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kefu.explain.appraisal import scope_of
from kefu.explain.write import write_reports
from kefu.payroll import delivery
from kefu.payroll.login import CloseRefused, Reader, call, fetch, reading, rows_on
from kefu.pipeline import run
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.publish import config_hash
from kefu.pipeline.run import Say
from kefu.pipeline.transform import drop_schema, end_run, start_run
from kefu.warehouse import Role

STATES = (
    "open", "cut", "calculated", "reviewed", "published", "dispute_window", "approved", "locked", "exported",
    "acknowledged",
)  # fmt: skip
REASONS = ("late_data", "source_fix", "defect", "dispute", "refund", "fraud_confirmed")
MAKER, CHECKER, APPROVER, CLERK = (
    role.value for role in (Role.PLAN_AUTHOR, Role.PLAN_APPROVER, Role.HR_APPROVER, Role.PAYROLL_CLERK)
)
CLOSED = ("locked", "exported", "acknowledged")
Step = Literal["review", "publish", "approve", "lock"]


@dataclass(frozen=True)
class Status:
    """Where a period stands.

    Attributes:
        period_id, version, state: the newest version and its state.
        actor, happened_at: who brought it there and when, UTC; None while it is open.
        data_cut, as_of: what the version counts, and the instant of its clocks.
        result_hash: SHA-256 of what was calculated, once it was.
        due_at: end of the dispute window, once there is one.
        reason: why data was cut again, or why the period is restated.
    """

    period_id: str
    version: int
    state: str
    actor: str | None = None
    happened_at: datetime | None = None
    data_cut: int | None = None
    as_of: datetime | None = None
    result_hash: str | None = None
    due_at: datetime | None = None
    reason: str | None = None

    @property
    def calc_id(self) -> str:
        """The schema in which the version is calculated; it exists until the version is locked."""
        return f"calc_{self.period_id}_v{self.version}"


@dataclass(frozen=True)
class Close:
    """A sealed period and where its files are. `content_hash` is the SHA-256 of the exported CSV."""

    period_id: str
    version: int
    row_count: int
    content_hash: str
    manifest_hash: str
    folder: Path


def status(platform: Platform, period_id: str) -> Status:
    """Returns where a period stands. Raises UnknownPeriod for one that is not declared."""
    period = platform.period(period_id)
    found = fetch(
        platform,
        "select period_id, version, state, actor, happened_at, data_cut, as_of, result_hash, due_at, reason"
        " from payroll.transition where period_id = %s order by transition_id desc limit 1",
        [period.period_id],
    )
    return Status(**found[0]) if found else Status(period_id, 1, "open")


def cut(platform: Platform, period_id: str, reason: str | None = None, login: str = MAKER) -> Status:
    """Fixes what counts: everything loaded by now. From any state before the lock again, then with a reason.

    Raises:
        CloseRefused: it is too early, the period is closed, or the reason is missing.
    """
    platform.period(period_id)
    call(platform, login, "cut", [period_id, reason])
    return status(platform, period_id)


def ensure_cut(platform: Platform, period_id: str, login: str = MAKER) -> Status:
    """Cuts an open period, and once more one that is only cut when data was loaded since, e.g. to settle a gate."""
    now = status(platform, period_id)
    if now.state == "open":
        return cut(platform, period_id, login=login)
    if now.state == "cut" and now.data_cut != platform.scope(platform.period(period_id)).data_cut:
        return cut(platform, period_id, "data was loaded since the last cut", login)
    return now


def calculate(platform: Platform, period_id: str, say: Say = lambda _: None, login: str = MAKER) -> Status:
    """Calculates a cut period in full in its own schema and records the result; after a crash it starts afresh.

    Raises:
        CloseRefused: the period is not cut, or naming everything that speaks against the result.
        BuildError: naming the models or tests that failed.
    """
    period, now = platform.period(period_id), status(platform, period_id)
    if now.state != "cut" or now.data_cut is None or now.as_of is None:
        raise CloseRefused(
            f"period {period_id} is {now.state}, and a calculation needs it cut. Remedy: `kefu period cut {period_id}`"
        )
    scope = Scope(now.calc_id, now.data_cut, now.as_of, period_id, period.start.isoformat(), period.end.isoformat())
    run_id = f"close {period_id} v{now.version} {scope.data_cut}"
    start_run(platform, run_id, "close", {"period_id": period_id, "data_cut": scope.data_cut})
    try:
        with platform.warehouse.pipeline_lock(f"close of {period_id}"):
            drop_schema(platform, scope)
            with platform.warehouse.connect(Role.TRANSFORMER) as connection:
                connection.execute(f'create schema "{scope.calc_id}"'.encode())
            run.calculate(platform, scope, run_id, say)
            with platform.warehouse.connect(Role.TRANSFORMER) as connection:
                configured = config_hash(connection, scope)
            call(platform, login, "record_calculation", [period_id, configured])
    except BaseException:
        end_run(platform, run_id, "failed")
        raise
    end_run(platform, run_id, "succeeded")
    return status(platform, period_id)


def step(platform: Platform, period_id: str, name: Step, login: str) -> Status:
    """Takes a period one state further as a login: review, publish, approve or lock. The lock removes the calculation.

    Cards and team reports are written when the scores are published, and before the lock where they are not there yet,
    as those of a restatement.

    Raises:
        CloseRefused: naming everything that speaks against it, the login included.
    """
    before = status(platform, period_id)
    who = Reader(login, f"kefu period {name}", "cards and reports for those concerned")
    if name == "lock" and before.state == "approved":
        hand_out(platform, period_id, who)
    call(platform, login, name, [period_id])
    now = status(platform, period_id)
    if name == "publish":
        hand_out(platform, period_id, who)
    if now.state == "locked":
        _clean_up(platform, now)
    return now


def pages(platform: Platform, now: Status) -> Path:
    """Returns the folder of the cards and team reports of a calculated version; each result has a folder of its own."""
    name = f"{now.period_id}_v{now.version}_{(now.result_hash or '')[:12]}"
    return platform.settings.kefu_data_dir / "reports" / name


def hand_out(platform: Platform, period_id: str, who: Reader) -> Path:
    """Writes every card and team report of the calculated version, all or none; returns their folder.

    People need them while they can dispute, and the lock removes the calculation that they are read from.
    """
    folder = pages(platform, status(platform, period_id))
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        period = platform.period(period_id)
        scope = scope_of(platform, period)
        with reading(platform, who, f"{scope.calc_id}.score", period_id) as reader:
            for _ in write_reports(platform, reader, scope, period, partial):
                pass
        partial.rename(folder)
    return folder


def handed_out(platform: Platform, period_id: str) -> Path | None:
    """Returns where the pages are that the close of a locked period wrote; None for one that is not locked.

    Raises:
        CloseRefused: they are not on this machine.
    """
    now = status(platform, period_id)
    if now.state not in CLOSED:
        return None
    folder = pages(platform, now)
    if not folder.is_dir():
        raise CloseRefused(
            f"period {period_id} is locked and the pages its close wrote are not in {folder}; nothing can write them "
            "again, because their calculation is gone. Remedy: take the folder from where it was closed or a backup"
        )
    return folder


def _clean_up(platform: Platform, now: Status) -> None:
    """Removes the calculation of a locked version; called again after a crash between the lock and this."""
    drop_schema(platform, Scope(now.calc_id, 0, datetime.now(UTC), now.period_id, "", ""))
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        for table in ("agent_estimate", "cohort_reliability", "rater_profile", "double_score_task", "integrity_result"):
            connection.execute(f"delete from stats.{table} where calc_id = %s".encode(), [now.calc_id])


def accept_fallback(platform: Platform, period_id: str, agent_key: str, reason: str, login: str = APPROVER) -> None:
    """Accepts, as manager or as HR, what the plan pays somebody without enough evidence; both are needed (4.3).

    Raises:
        CloseRefused: the agent needs no decision, the period is not calculated or approved already, or the login
            calculated it or is the agent's own.
    """
    platform.period(period_id)
    call(platform, login, "accept_fallback", [period_id, agent_key, reason])


def undecided(platform: Platform, period_id: str) -> str | None:
    """Returns who still waits for the decisions of a manager and HR, in words; None when nobody does."""
    [found] = fetch(platform, "select payroll.undecided(%s) as names", [period_id])
    return None if found["names"] is None else str(found["names"])


def waive(platform: Platform, period_id: str, precondition: str, reason: str, login: str = APPROVER) -> None:
    """Accepts, as somebody who does not calculate, that a plan was approved late or a source ends early."""
    platform.period(period_id)
    call(platform, login, "waive", [period_id, precondition, reason])


def close_period(platform: Platform, period_id: str, say: Say = lambda _: None) -> Close:
    """Takes a demo period from wherever it stands to its export, each step by the platform's login for that duty.

    After a crash a second call goes on from the last state, with the same result.

    Raises:
        CloseRefused: the period is real, is closed already, or something speaks against a step.
    """
    if platform.period(period_id).mode != "demo":
        raise CloseRefused(
            f"period {period_id} is real: its steps are taken one by one by the people answerable for them. Remedy: "
            f"see `kefu period status {period_id}`"
        )
    now = status(platform, period_id)
    if now.state in ("exported", "acknowledged"):
        _clean_up(platform, now)
        raise CloseRefused(
            f"period {period_id} is already closed. A closed period never changes; a correction is a restatement"
        )
    steps: dict[str, tuple[Step, str]] = {
        "calculated": ("review", CHECKER),
        "reviewed": ("publish" if now.version == 1 else "approve", CHECKER if now.version == 1 else APPROVER),
        "dispute_window": ("approve", APPROVER),
        "approved": ("lock", APPROVER),
    }
    while now.state != "locked":
        if now.state == "open":
            now = ensure_cut(platform, period_id)
        elif now.state == "cut":
            ensure_cut(platform, period_id)
            now = calculate(platform, period_id, say)
        else:
            name, login = steps[now.state]
            now = step(platform, period_id, name, login)
        say(f"{now.state}: version {now.version} by {now.actor}")
    _clean_up(platform, now)
    say(f"cards and reports: {pages(platform, now)}")
    done = export(platform, period_id)
    say(f"exported: {done.row_count} rows to {done.folder}")
    return done


def closed_demo(platform: Platform, period_id: str, say: Say = lambda _: None) -> Close:
    """Closes a demo period, or writes the files of one that is closed already."""
    if status(platform, period_id).state in ("exported", "acknowledged"):
        return export(platform, period_id)
    return close_period(platform, period_id, say)


def export(platform: Platform, period_id: str, version: int | None = None, login: str = CHECKER) -> Close:
    """Writes the files of a locked version, signed; writing again gives the same bytes.

    Args:
        platform: the installation, whose signing key is used the first time.
        period_id: the period.
        version: the version; the latest one unless given.
        login: who exports.

    Raises:
        CloseRefused: the period is not locked, or the stored rows no longer match their manifest.
    """
    who = Reader(login, "kefu period export", "files for payroll")
    with reading(platform, who, "payroll.snapshot", period_id) as reader:
        found = rows_on(
            reader,
            "select c.version, c.chain_position, c.row_count, c.content_hash, c.manifest, c.manifest_hash,"
            " e.erased_at, payroll.canonical_csv(c.period_id, c.version) as content from payroll.close as c"
            " left join payroll.erasure as e on c.period_id = e.period_id and c.version = e.version"
            " where c.period_id = %s and c.version = coalesce(%s, c.version) order by c.version desc limit 1",
            [period_id, version],
        )
    if not found:
        raise CloseRefused(f"period {period_id} is not closed. Remedy: run `kefu period status {period_id}`")
    [sealed] = found
    if sealed["erased_at"]:
        raise CloseRefused(
            f"the rows of {period_id} were erased on {sealed['erased_at']:%Y-%m-%d}, when their time was over. Remedy: "
            "take the files that payroll received; `kefu payroll verify` still checks them"
        )
    content = str(sealed["content"]).encode()
    for what, now, then in (
        ("content", hashlib.sha256(content).hexdigest(), sealed["content_hash"]),
        ("manifest", hashlib.sha256(sealed["manifest"].encode()).hexdigest(), sealed["manifest_hash"]),
    ):
        if now != then:
            raise CloseRefused(
                f"the {what} of {period_id} hashes to {now[:16]}, the seal says {then[:16]}: it was tampered with and "
                "is not exported. Remedy: call the auditor"
            )
    key = platform.settings.kefu_signing_key.get_secret_value()
    signature, public_key = delivery.sign(key, sealed["manifest"])
    stored = call(
        platform,
        login,
        "record_export",
        [period_id, sealed["version"], sealed["manifest_hash"], signature, public_key],
    )
    chain = fetch(
        platform,
        "select manifest from payroll.close where chain_position <= %s order by chain_position",
        [sealed["chain_position"]],
        login,
    )
    # A version that was exported before keeps the signature it left the house with.
    folder = platform.settings.kefu_data_dir / "payroll" / f"{period_id}_v{sealed['version']}"
    delivery.write(
        folder,
        delivery.Delivery(
            content, sealed["manifest"], stored["signature"], stored["public_key"], [row["manifest"] for row in chain]
        ),
    )
    delivery.verify(folder, stored["public_key"])
    return Close(
        period_id, sealed["version"], sealed["row_count"], sealed["content_hash"], sealed["manifest_hash"], folder
    )


def acknowledge(platform: Platform, period_id: str, content_hash: str, login: str = CLERK) -> Status:
    """Confirms, as payroll, the SHA-256 of the CSV that arrived.

    Raises:
        CloseRefused: another content was sealed, or somebody who closed the period calls.
    """
    platform.period(period_id)
    call(platform, login, "acknowledge", [period_id, content_hash])
    return status(platform, period_id)


def restate(
    platform: Platform, period_id: str, reason_code: str, reason: str, say: Say = lambda _: None, login: str = MAKER
) -> Status:
    """Calculates the next version of a closed period under its own plan, definitions and clocks, over today's data.

    The version then is reviewed, approved, locked and exported as any other. The lock writes one correction line for
    each agent whom it changes materially; the earlier versions stay as they are.

    Raises:
        CloseRefused: the period is not closed, lies too far back, or its definitions have changed.
    """
    platform.period(period_id)
    if reason_code not in REASONS:
        raise CloseRefused(f"found the reason {reason_code}, expected one of {', '.join(REASONS)}. Remedy: use one")
    call(platform, login, "restate", [period_id, reason_code, reason])
    return calculate(platform, period_id, say, login)


def decide_correction(
    platform: Platform, adjustment_id: int, is_approved: bool, reason: str, login: str = APPROVER
) -> None:
    """Decides, as HR, about a correction that takes money back; a positive one needs no decision."""
    call(platform, login, "decide_adjustment", [adjustment_id, is_approved, reason])


def rows_of(
    platform: Platform, who: Reader, period_id: str, version: int | None = None, as_of: datetime | None = None
) -> list[dict[str, Any]]:
    """Returns the sealed rows of a period, one per agent: a version, or what was in force at an instant (UTC).

    Without either the latest version. No row when nothing was locked by then, or its time is over.
    """
    asked: tuple[str, list[Any]] = (
        ("select * from payroll.snapshot_as_of(%s, coalesce(%s, 'infinity'::timestamptz))", [period_id, as_of])
        if version is None
        else (
            "select * from payroll.snapshot where period_id = %s and version = %s order by agent_key",
            [period_id, version],
        )
    )
    with reading(platform, who, "payroll.snapshot", period_id) as reader:
        return rows_on(reader, *asked)


def corrections(platform: Platform, who: Reader) -> list[dict[str, Any]]:
    """Returns the corrections of all restatements, the oldest first, with what has become of each."""
    with reading(platform, who, "payroll.adjustment") as reader:
        return rows_on(
            reader,
            "select a.adjustment_id, a.period_id || ' v' || a.version as version, a.agent_key, a.reason_code,"
            " a.old_composite, a.new_composite, a.old_grade, a.new_grade, a.delta_fen,"
            " case when p.adjustment_id is not null then 'in ' || p.to_period_id"
            " when d.is_approved is false then 'refused' when a.delta_fen = 0 then 'no money'"
            " when a.delta_fen > 0 or d.is_approved then 'waits for a period' else 'waits for HR' end as state"
            " from payroll.adjustment as a"
            " left join payroll.approved_adjustment as p on a.adjustment_id = p.adjustment_id"
            " left join payroll.adjustment_decision as d on a.adjustment_id = d.adjustment_id"
            " order by a.adjustment_id",
        )


def broken(platform: Platform) -> list[tuple[str, str, str]]:
    """Returns (part, object, problem) of everything in payroll that is not as it was recorded, the first first."""
    found = fetch(platform, "select part, object, problem from payroll.verify()")
    return [(row["part"], row["object"], row["problem"]) for row in found]
