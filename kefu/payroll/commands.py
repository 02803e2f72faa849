"""The commands of a close: `kefu period`, `kefu payroll`, `kefu dispute`. Each step is taken as a database login."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from kefu.payroll import close as closing
from kefu.payroll import delivery, disputes
from kefu.payroll.close import APPROVER, CHECKER, CLERK, MAKER
from kefu.payroll.filing import file_sheets
from kefu.payroll.login import Reader, call, fetch
from kefu.pipeline.context import Platform
from kefu.settings import settings
from kefu.warehouse import Role

period_app = typer.Typer(no_args_is_help=True, help="Appraisal periods, from cut to acknowledgement (docs/payroll.md).")
payroll_app = typer.Typer(no_args_is_help=True, help="Sealed results: check deliveries, corrections and the audit.")
dispute_app = typer.Typer(no_args_is_help=True, help="Disputes about published scores.")
console = Console(soft_wrap=True)
AUDITOR = Role.AUDITOR.value

PeriodId = Annotated[str, typer.Argument(help="id in config/periods.yml")]
Reason = Annotated[str, typer.Option(help="why, in words; kept in the audit")]
DisputeId = Annotated[int, typer.Argument(help="number in `kefu dispute list`")]
Maker = Annotated[str, typer.Option("--login", help="database login that does it")]
ReadAs = Annotated[str, typer.Option("--login", help="database login that reads; it is recorded")]
Purpose = Annotated[str | None, typer.Option(help="what for, kept in the access log; a real period needs it")]
Note = Annotated[str, typer.Option(help="in words; kept with the dispute")]


def _platform() -> Platform:
    return Platform(settings())


def _say(line: str) -> None:
    console.print(f"  {line}", markup=False, highlight=False)


def _show(now: closing.Status) -> None:
    console.print(f"{now.period_id} version {now.version}: {now.state}", highlight=False)
    for label, value in (
        ("by", now.actor),
        ("on", f"{now.happened_at:%Y-%m-%d %H:%M} UTC" if now.happened_at else None),
        ("data cut", now.data_cut),
        ("clocks at", f"{now.as_of:%Y-%m-%d %H:%M} UTC" if now.as_of else None),
        ("disputes until", f"{now.due_at:%Y-%m-%d %H:%M} UTC" if now.due_at else None),
        ("because", now.reason),
    ):
        if value is not None:
            _say(f"{label}: {value}")


def _table(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> None:
    # Keys are typed again elsewhere: they fold, and nothing of them is left out.
    table = Table(*(Column(title, overflow="fold") for title in columns.values()))
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    console.print(table)


@period_app.command("status")
def status_command(period_id: PeriodId) -> None:
    """Says where a period stands, and every step that led there."""
    platform = _platform()
    _show(closing.status(platform, period_id))
    if names := closing.undecided(platform, period_id):
        _say(f"waits for the decisions of a manager and HR (`kefu period accept-fallback`): {names}")
    rows = fetch(
        platform,
        "select version, state, actor, to_char(happened_at, 'YYYY-MM-DD HH24:MI') as happened_at, data_cut,"
        " left(result_hash, 12) as result_hash, reason from payroll.transition where period_id = %s"
        " order by transition_id",
        [period_id],
    )
    if rows:
        _table(
            rows,
            {
                "version": "version", "state": "state", "actor": "by", "happened_at": "on (UTC)",
                "data_cut": "data cut", "result_hash": "result", "reason": "because",
            },
        )  # fmt: skip


@period_app.command("cut")
def cut_command(
    period_id: PeriodId,
    reason: Annotated[str | None, typer.Option(help="why data is cut again, from any state before the lock")] = None,
    login: Maker = MAKER,
) -> None:
    """Fixes what counts: everything loaded by now."""
    _show(closing.cut(_platform(), period_id, reason, login))


@period_app.command("calculate")
def calculate_command(period_id: PeriodId, login: Maker = MAKER) -> None:
    """Calculates a cut period in its own schema; names everything that speaks against the result."""
    _show(closing.calculate(_platform(), period_id, _say, login))


@period_app.command("review")
def review_command(period_id: PeriodId, login: Maker = CHECKER) -> None:
    """Confirms the calculation, as somebody who did not make it."""
    _show(closing.step(_platform(), period_id, "review", login))


@period_app.command("publish")
def publish_command(period_id: PeriodId, login: Maker = CHECKER) -> None:
    """Opens the dispute window and writes everybody's card."""
    platform = _platform()
    now = closing.step(platform, period_id, "publish", login)
    _show(now)
    _say(f"cards and reports: {closing.pages(platform, now)}")


@period_app.command("accept-fallback")
def accept_fallback_command(
    period_id: PeriodId,
    agent: Annotated[list[str], typer.Option(help="HR id, as often as needed")],
    reason: Reason,
    login: Maker = APPROVER,
) -> None:
    """Accepts, as manager or as HR, what the plan pays people without enough evidence; both are needed."""
    for agent_key in agent:
        closing.accept_fallback(_platform(), period_id, agent_key, reason, login)
        console.print(f"{agent_key}: accepted by {login}", highlight=False)


@period_app.command("approve")
def approve_command(period_id: PeriodId, login: Maker = APPROVER) -> None:
    """Approves for pay, when the dispute window is over, as somebody who neither calculated nor reviewed."""
    _show(closing.step(_platform(), period_id, "approve", login))


@period_app.command("lock")
def lock_command(period_id: PeriodId, login: Maker = APPROVER) -> None:
    """Seals the approved result; from here on nothing changes."""
    _show(closing.step(_platform(), period_id, "lock", login))


@period_app.command("export")
def export_command(
    period_id: PeriodId,
    version: Annotated[int | None, typer.Option(help="an earlier version")] = None,
    login: Maker = CHECKER,
) -> None:
    """Writes the signed files of a locked period, byte for byte the same each time."""
    done = closing.export(_platform(), period_id, version, login)
    console.print(f"{done.row_count} rows, sha256 {done.content_hash}, files in {done.folder}")


@period_app.command("acknowledge")
def acknowledge_command(
    period_id: PeriodId,
    content_hash: Annotated[str, typer.Argument(help="SHA-256 of the CSV that arrived")],
    login: Maker = CLERK,
) -> None:
    """Confirms, as payroll, what arrived."""
    _show(closing.acknowledge(_platform(), period_id, content_hash, login))


@period_app.command("close")
def close_command(period_id: PeriodId) -> None:
    """Takes a demo period through all states to its export; a real one goes step by step."""
    sealed = closing.close_period(_platform(), period_id, _say)
    console.print(f"closed: {sealed.row_count} rows, sha256 {sealed.content_hash}, files in {sealed.folder}")


@period_app.command("restate")
def restate_command(
    period_id: PeriodId,
    reason: Reason,
    code: Annotated[str, typer.Option(help=" | ".join(closing.REASONS))] = "late_data",
    login: Maker = MAKER,
) -> None:
    """Calculates the next version of a closed period over today's data; it is then reviewed and approved as any."""
    _show(closing.restate(_platform(), period_id, code, reason, _say, login))


@period_app.command("waive")
def waive_command(
    period_id: PeriodId,
    reason: Reason,
    precondition: Annotated[str, typer.Option(help="plan_approved_in_time or sources_fresh")] = "plan_approved_in_time",
    login: Maker = APPROVER,
) -> None:
    """Accepts that a plan was approved after the period began, or that a source has not told its last service day."""
    closing.waive(_platform(), period_id, precondition, reason, login)
    console.print(f"{precondition} is waived for {period_id}")


@period_app.command("show")
def show_command(
    period_id: PeriodId,
    as_of: Annotated[datetime | None, typer.Option(help="what was in force at this instant (UTC)")] = None,
    version: Annotated[int | None, typer.Option(help="this version")] = None,
    login: ReadAs = AUDITOR,
    purpose: Purpose = None,
) -> None:
    """Shows the sealed rows of a period: the latest version, a version, or what was in force at an instant."""
    who = Reader(login, "kefu period show", purpose)
    rows = closing.rows_of(_platform(), who, period_id, version, as_of.replace(tzinfo=UTC) if as_of else None)
    _table(
        rows,
        {
            "version": "version", "agent_key": "agent", "team_key": "team", "composite": "score", "grade": "grade",
            "status": "status", "coefficient": "coefficient", "amount_fen": "amount (fen)",
        },
    )  # fmt: skip


@period_app.command("approve-plan")
def approve_plan(plan_id: str, version: int, login: Maker = CHECKER) -> None:
    """Approves a plan version as the given login; the database refuses its author."""
    call(_platform(), login, "approve_plan", [plan_id, version], schema="cfg")
    console.print(f"plan {plan_id} version {version} is approved")


@payroll_app.command("verify")
def verify_command(
    folder: Annotated[Path, typer.Argument(help="folder as it was delivered")],
    public_key: Annotated[
        Path | None, typer.Option(help="the key kept since the first delivery; without it the folder's own is used")
    ] = None,
) -> None:
    """Checks a delivered folder offline and names the first broken link."""
    try:
        manifest = delivery.verify(folder, public_key.read_text(encoding="utf-8") if public_key else None)
    except delivery.Broken as broken:
        console.print(f"[red]broken[/red] {broken}", highlight=False)
        raise typer.Exit(1) from broken
    key = next(folder.glob(f"*{delivery.NAMES['public key']}")).read_text(encoding="utf-8")
    console.print(
        f"whole: {manifest['period_id']} version {manifest['version']}, {manifest['row_count']} rows, sha256 "
        f"{manifest['content_hash']}, {manifest['chain_position']} manifests in the chain, key "
        f"{delivery.fingerprint(key)}",
    )
    if public_key is None:
        console.print("compare the key with the one you were given in person, then pass it as --public-key")


@payroll_app.command("audit")
def audit_command() -> None:
    """Checks the whole payroll schema: audit chain, records, snapshots, manifests; names every broken link."""
    found = closing.broken(_platform())
    for part, name, problem in found:
        console.print(f"[red]{part}[/red] {name}: {problem}", highlight=False)
    if found:
        raise typer.Exit(1)
    console.print("everything is as it was recorded")


@payroll_app.command("access")
def access_command(
    period: Annotated[str | None, typer.Option(help="only readings of this period")] = None,
    agent: Annotated[str | None, typer.Option(help="only readings that showed this person's rows, by HR id")] = None,
) -> None:
    """Lists who looked at pay and scores, and the logins whose own SQL the server does not log."""
    platform = _platform()
    rows = fetch(
        platform,
        "select to_char(accessed_at, 'YYYY-MM-DD HH24:MI') as accessed_at, login, account, command, mart, period_id,"
        " agent_key, purpose from payroll.access where (%(period)s::text is null or period_id is null"
        " or period_id = %(period)s) and (%(agent)s::text is null or agent_key in ('all', %(agent)s))"
        " order by access_id",
        {"period": period, "agent": agent},
    )
    for row in rows:
        what_for = f", for: {row['purpose']}" if row["purpose"] else ""
        _say(
            f"{row['accessed_at']} UTC {row['login']} ({row['account']}): {row['command']}, {row['mart']},"
            f" period {row['period_id'] or 'all'}, agent {row['agent_key']}{what_for}"
        )
    unlogged = fetch(platform, "select login from payroll.sql_reader where not is_logged order by login")
    if unlogged:
        _say(
            f"no log has the SQL of {', '.join(row['login'] for row in unlogged)}. Remedy: let the warehouse's owner"
            " set log_statement, then run `kefu warehouse migrate`; or log it in the server (docs/payroll.md)"
        )


@payroll_app.command("corrections")
def corrections_command(login: ReadAs = AUDITOR, purpose: Purpose = None) -> None:
    """Lists the corrections of restatements: paid with the next period, or waiting for HR."""
    rows = closing.corrections(_platform(), Reader(login, "kefu payroll corrections", purpose))
    _table(rows, {name: name for name in rows[0]} if rows else {"adjustment_id": "adjustment_id"})


@payroll_app.command("decide")
def decide_correction_command(
    adjustment_id: int,
    approve: Annotated[bool, typer.Option("--approve/--refuse")],
    reason: Reason,
    login: Maker = APPROVER,
) -> None:
    """Decides, as HR, about a correction that takes money back."""
    closing.decide_correction(_platform(), adjustment_id, approve, reason, login)
    console.print(f"correction {adjustment_id} is {'approved' if approve else 'refused'}")


@dispute_app.command("submit")
def submit_command(
    period_id: PeriodId,
    agent: Annotated[str, typer.Option(help="HR id")],
    claim: Annotated[str, typer.Option(help="what is wrong, in the agent's words")],
    rating: Annotated[str | None, typer.Option(help="key of a customer's rating")] = None,
    review: Annotated[str | None, typer.Option(help="key of a quality review")] = None,
    attendance: Annotated[str | None, typer.Option(help="key of a day of attendance: HR id and date")] = None,
    metric: Annotated[str | None, typer.Option(help="metric whose value is wrong")] = None,
    gate: Annotated[str | None, typer.Option(help="number of the verified fact behind a gate")] = None,
    login: Maker = CHECKER,
) -> None:
    """Records a dispute for an agent: about a row, a metric, a gate, or else the composite."""
    objects = {"rating": rating, "review": review, "attendance": attendance, "metric": metric, "gate": gate}
    named = [(kind, key) for kind, key in objects.items() if key] or [disputes.COMPOSITE]
    if len(named) > 1:
        raise typer.BadParameter(f"found {', '.join(kind for kind, _ in named)}, expected one of them for each dispute")
    number = disputes.submit(_platform(), period_id, agent, claim, named[0], login)
    console.print(f"dispute {number} is submitted")


@dispute_app.command("file")
def file_command() -> None:
    """Files what was handed in as sheets and loaded; `kefu run` does so too."""
    filed = file_sheets(_platform())
    console.print(filed.line())
    for name in filed.waiting:
        console.print(f"  {name} waits: `kefu quarantine list` says why", highlight=False)


@dispute_app.command("triage")
def triage_command(dispute_id: DisputeId, note: Note, login: Maker = CHECKER) -> None:
    """Takes a dispute up."""
    disputes.triage(_platform(), dispute_id, note, login)


@dispute_app.command("evidence")
def evidence_command(dispute_id: DisputeId, note: Note, login: Maker = CHECKER) -> None:
    """Adds evidence."""
    disputes.evidence(_platform(), dispute_id, note, login)


@dispute_app.command("decide")
def decide_command(
    dispute_id: DisputeId,
    outcome: Annotated[str, typer.Option(help=" | ".join(disputes.OUTCOMES))],
    note: Note,
    login: Maker = APPROVER,
) -> None:
    """Decides a dispute."""
    disputes.decide(_platform(), dispute_id, outcome, note, login)
    if outcome != "upheld":
        console.print("now cut and calculate the period again, or restate it when it is locked")


@dispute_app.command("appeal")
def appeal_command(dispute_id: DisputeId, note: Note, login: Maker = CHECKER) -> None:
    """Takes a decision to the second level, once."""
    disputes.appeal(_platform(), dispute_id, note, login)


@dispute_app.command("close")
def close_dispute_command(dispute_id: DisputeId, note: Note, login: Maker = CHECKER) -> None:
    """Ends a dispute that was taken back, or whose decision is accepted."""
    disputes.close(_platform(), dispute_id, note, login)


@dispute_app.command("person")
def person_command(
    whose: Annotated[str, typer.Argument(help="database login")],
    agent: Annotated[str, typer.Argument(help="HR id")],
    login: Maker = CHECKER,
) -> None:
    """Records which person a login belongs to."""
    disputes.person(_platform(), whose, agent, login)


@dispute_app.command("list")
def list_command(only_open: Annotated[bool, typer.Option("--open", help="only those still open")] = False) -> None:
    """Lists disputes with state, deadline and outcome."""
    columns = {
        "dispute_id": "no", "period_id": "period", "agent_key": "agent", "about": "about", "key": "key",
        "state": "state", "level": "level", "due": "due (UTC)", "is_overdue": "overdue", "outcome": "outcome",
        "filed_by": "filed by",
    }  # fmt: skip
    rows = [
        row
        | {
            "about": row["row_kind"] or row["object_kind"],
            "key": row["row_key"] or row["metric_id"] or row["fact_key"],
            "due": f"{row['due_at']:%Y-%m-%d %H:%M}" if row["due_at"] else None,
        }
        for row in disputes.listed(_platform(), only_open)
    ]
    _table(rows, columns)


__all__ = ["dispute_app", "payroll_app", "period_app"]
