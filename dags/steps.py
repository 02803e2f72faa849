"""What the tasks do: the functions of `kefu.pipeline`, each on a platform of its own.

A task is a process, so the warehouse's lock cannot be held from the first step of a run to the last. Instead every
step takes it for itself and checks that no later run has begun in between; numbers of two runs never mix.
Imports are inside because Airflow reads this file whenever it reads a DAG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.contract import Window
    from kefu.pipeline.context import Platform, Scope

# Kinds of runs that build the live line.
_LIVE = ["daily", "build"]
# As much of the hash of a result as people are shown.
_SHOWN = 16


def platform() -> Platform:
    """Returns the installation; the variable KEFU_DATABASE names another database of its server."""
    import os

    from kefu.pipeline.context import Platform
    from kefu.settings import settings

    return Platform(settings(), os.environ.get("KEFU_DATABASE", "kefu"))


def period_of(params: Mapping[str, Any], events: Mapping[Any, Sequence[Any]] | None = None) -> str:
    """Returns the period a run is for: its parameter, else what the newest triggering asset event says.

    Raises:
        ValueError: when neither names one.
    """
    if params.get("period_id"):
        return str(params["period_id"])
    found = [event for group in (events or {}).values() for event in group if event.extra.get("period_id")]
    if not found:
        raise ValueError(
            "this run has no period: found neither the parameter period_id nor a triggering asset event that names"
            " one, expected a period_id of config/periods.yml. Remedy: trigger it again with the configuration"
            ' {"period_id": "..."}'
        )
    return str(max(found, key=lambda event: event.timestamp).extra["period_id"])


def window_of(start: str | datetime | None, end: str | datetime | None) -> dict[str, str]:
    """Returns an interval as JSON, both ends ISO 8601 with offset.

    Raises:
        ValueError: when the run has no interval or an empty one.
    """
    if start is None or end is None:
        raise ValueError(
            "this run has no data interval: found no logical date, expected a scheduled, backfill or dated manual run."
            " Remedy: trigger it with --logical-date, or run the DAG `daily` with the parameter window"
        )
    first, last = (value if isinstance(value, datetime) else datetime.fromisoformat(value) for value in (start, end))
    if first.tzinfo is None or last.tzinfo is None or first >= last:
        raise ValueError(
            f"this run has no usable window: found {first.isoformat()} to {last.isoformat()}, expected a start before"
            " the end, both with an offset. Remedy: trigger it again with another window"
        )
    return {"start": first.isoformat(), "end": last.isoformat()}


def prepare(run_id: str, kind: str, detail: dict[str, Any]) -> list[str]:
    """Brings the warehouse up to date and records the run; returns what changed in the warehouse."""
    from kefu.pipeline import ingest, transform

    here = platform()
    changed = ingest.prepare(here)
    # A run that begins while another pipeline works would make that one fail; it waits for its retry instead.
    with here.warehouse.pipeline_lock(f"start of {run_id}"):
        transform.start_run(here, run_id, kind, detail)
    return changed


def sources(channel: str | None = None) -> list[str]:
    """Returns the sources of one channel, or all, in the order in which a complete run reads them."""
    declared = platform().catalogue.sources.values()
    return [source.source_id for source in declared if channel in (None, source.channel)]


def entities(channel: str) -> list[dict[str, str]]:
    """Returns source and entity of every load of the sources of one channel."""
    return [
        {"source_id": source.source_id, "entity": entity}
        for source in platform().catalogue.sources.values()
        if source.channel == channel
        for entity in source.entities
    ]


def load(run_id: str, source_id: str, window: dict[str, str] | None, entity: str | None = None) -> list[str]:
    """Loads one entity of a source, or all in their order; returns one line each that says where the records went."""
    from kefu.pipeline.ingest import ingest
    from kefu.pipeline.run import line_of

    here = platform()
    names = [entity] if entity else here.catalogue.sources[source_id].entities
    with _failing(here, run_id):
        return [line_of(ingest(here, run_id, source_id, name, _window(window))) for name in names]


def loaded(run_id: str, window: dict[str, str]) -> dict[str, Any]:
    """Ends an ingest run; returns what its asset event says: the window read and the period numbers are due for."""
    from kefu.pipeline.transform import end_run

    here = platform()
    end_run(here, run_id, "succeeded")
    return {"window": window, "period_id": here.period().period_id}


def facts(run_id: str, period_id: str) -> dict[str, Any]:
    """Reads new texts, builds the facts of all that is loaded, files disputes; returns the scope for what follows."""
    from kefu.payroll.filing import file_sheets
    from kefu.pipeline.text import derive
    from kefu.pipeline.transform import build

    with _turn(run_id) as here:
        for read in derive(here):
            print(read.line())
        scope = here.scope(here.period(period_id))
        build(here, scope, "core", run_id)
        print(file_sheets(here).line())
    return scope.variables()


def build(run_id: str, scope: dict[str, Any], layer: str) -> int:
    """Builds a later layer; returns the number of its models and tests."""
    from kefu.pipeline import transform

    with _turn(run_id) as here:
        return transform.build(here, _scope(scope), layer, run_id)


def judge(run_id: str, scope: dict[str, Any]) -> list[str]:
    """Computes raters, trust, integrity and declines; returns one line for each."""
    from kefu.pipeline import run

    with _turn(run_id) as here:
        return list(run.judge(here, _scope(scope)))


def checks(run_id: str, scope: dict[str, Any]) -> dict[str, int]:
    """Runs the quality suites; returns how many checks passed and failed."""
    from kefu.pipeline.run import check_quality

    with _turn(run_id) as here:
        return check_quality(here, _scope(scope))


def publish(run_id: str, scope: dict[str, Any]) -> dict[str, Any]:
    """Publishes and ends the run; returns the number of the publication, its content hash and what is withheld."""
    from kefu.pipeline import publish as publication
    from kefu.pipeline.transform import end_run

    with _turn(run_id) as here:
        published = publication.publish(here, _scope(scope))
        end_run(here, run_id, "succeeded")
    return {
        "publication_id": published.publication_id,
        "content_hash": published.content_hash,
        "withheld": published.withheld,
    }


def pages() -> list[str]:
    """Writes the static pages of what is published; returns their paths."""
    from kefu.pipeline.run import render

    return [str(path) for path in render(platform())]


def closing(period_id: str) -> dict[str, str]:
    """Returns what a person has to know before a period is closed: its dates, its mode, its state, what is published.

    Raises:
        ValueError: the period is not declared, or is closed already.
    """
    from kefu.payroll import CLOSED, status
    from kefu.warehouse import Role

    here = platform()
    period = here.period(period_id)
    now = status(here, period_id)
    if now.state in CLOSED:
        raise ValueError(f"period {period_id} is closed already. Remedy: `kefu period export {period_id}`")
    with here.warehouse.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            "select publication_id, published_at from ops.publication where period_id = %s"
            " order by publication_id desc limit 1",
            [period_id],
        ).fetchone()
    return {
        "period": f"{period.start} to {period.end}",
        "mode": period.mode,
        "state": now.state,
        "publication": f"number {row[0]} of {row[1]:%Y-%m-%d %H:%M} UTC" if row else "none",
    }


def calculate_close(run_id: str, period_id: str, requested_by: str | None) -> dict[str, str]:
    """Cuts and calculates a period as the person who asked for it; a calculated one is left as it is.

    Returns:
        How many scores, what they amount to in yuan, and the start of the hash of the result.

    Raises:
        PermissionError: in a real period nobody knows whose login it would be.
        CloseRefused: naming everything that speaks against it.
    """
    from kefu.payroll import calculate, ensure_cut
    from kefu.payroll.close import MAKER
    from kefu.pipeline.transform import start_run

    here = platform()
    login = _actor(here, period_id, requested_by, MAKER)
    start_run(here, run_id, "approved close", {"period_id": period_id, "requested_by": requested_by})
    with _failing(here, run_id):
        if ensure_cut(here, period_id, login).state == "cut":
            calculate(here, period_id, print, login)
    return _result(here, period_id)


def review_close(run_id: str, period_id: str, shown: str, answer: Mapping[str, Any]) -> str:
    """Takes a reviewed period to its dispute window as the person who pressed the button; returns when that ends.

    Args:
        run_id: the run in `ops.run`.
        period_id: the period.
        shown: start of the hash of the result that the person saw.
        answer: what the person answered, as Airflow recorded it.

    Raises:
        PermissionError: nobody approved, or nobody knows whose login it would be.
        ValueError: another result was calculated since.
        CloseRefused: the database refuses the login or the step.
    """
    from kefu.payroll import status, step
    from kefu.payroll.close import CHECKER

    here = platform()
    login = _actor(here, period_id, _responder(period_id, answer), CHECKER)
    with _failing(here, run_id):
        _expect_shown(here, period_id, shown)
        if status(here, period_id).state == "calculated":
            step(here, period_id, "review", login)
        if status(here, period_id).state == "reviewed":
            step(here, period_id, "publish", login)
    return str(status(here, period_id).due_at)


def window_is_over(period_id: str) -> bool:
    """Returns whether the dispute window of a period has ended, no dispute is open and nobody waits for a decision.

    Raises:
        ValueError: data was cut again meanwhile, so that this run has nothing to wait for.
    """
    from kefu.payroll import CLOSED, disputes, status, undecided
    from kefu.payroll.login import fetch

    here = platform()
    now = status(here, period_id)
    if now.state in ("approved", *CLOSED):
        return True
    if now.state != "dispute_window":
        raise ValueError(
            f"period {period_id} is {now.state}, expected dispute_window: its data was cut again. Remedy: trigger a"
            " new run"
        )
    [clock] = fetch(here, "select payroll.clock() as instant")
    waiting = [found for found in disputes.listed(here, only_open=True) if found["period_id"] == period_id]
    is_over = now.due_at is not None and now.due_at <= clock["instant"]
    return is_over and not waiting and undecided(here, period_id) is None


def close(run_id: str, period_id: str, shown: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Approves, locks and exports a period as the person who pressed the button; who that was is kept with the run.

    Args:
        run_id: the run in `ops.run`.
        period_id: the period.
        shown: start of the hash of the result that the person saw.
        answer: what the person answered, as Airflow recorded it.

    Returns:
        Version, number of rows, SHA-256 of the export, and the folder of its files.

    Raises:
        PermissionError: nobody approved, or nobody knows whose login it would be.
        ValueError: another result was calculated since.
        CloseRefused: the database refuses the login or the step.
    """
    from kefu.payroll import export, status, step
    from kefu.payroll.close import APPROVER
    from kefu.pipeline.transform import end_run

    here = platform()
    login = _actor(here, period_id, _responder(period_id, answer), APPROVER)
    with _failing(here, run_id):
        _expect_shown(here, period_id, shown)
        if status(here, period_id).state == "dispute_window":
            step(here, period_id, "approve", login)
        if status(here, period_id).state == "approved":
            step(here, period_id, "lock", login)
        sealed = export(here, period_id, login=login)
    end_run(here, run_id, "succeeded")
    return {
        "version": sealed.version,
        "row_count": sealed.row_count,
        "content_hash": sealed.content_hash,
        "folder": str(sealed.folder),
    }


def _expect_shown(here: Platform, period_id: str, shown: str) -> None:
    """Refuses an answer about a result that is no longer the one of the period."""
    from kefu.payroll import status

    found = (status(here, period_id).result_hash or "")[:_SHOWN]
    if found != shown:
        raise ValueError(
            f"period {period_id} was calculated again: its result is {found or 'none yet'}, the people of this run were"
            f" shown {shown}. Remedy: trigger a new run"
        )


def _responder(period_id: str, answer: Mapping[str, Any]) -> str:
    """Returns who pressed *Approve*, as Airflow recorded it."""
    responder = answer.get("responded_by_user")
    if list(answer["chosen_options"]) != ["Approve"] or not responder:
        raise PermissionError(f"the close of {period_id} has no approval by a person: found {dict(answer)}")
    return str(responder["name"])


def _actor(here: Platform, period_id: str, user: str | None, duty: str) -> str:
    """Returns the database login an Airflow user acts with; in a demo period anybody has the login of the duty."""
    actors = here.settings.kefu_actors
    if user in actors:
        return actors[user]
    if here.period(period_id).mode == "demo":
        return duty
    raise PermissionError(
        f"found the Airflow user {user}, expected one of {sorted(actors)} in KEFU_ACTORS. Remedy: say there which"
        " database login this person acts with"
    )


def _result(here: Platform, period_id: str) -> dict[str, str]:
    from kefu.payroll import status
    from kefu.warehouse import Role

    now = status(here, period_id)
    with here.warehouse.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            f"select count(*), count(*) filter (where s.composite is not null), sum(p.amount_fen) from"
            f' "{now.calc_id}".score as s join "{now.calc_id}".payment as p using (period_id, agent_key)'.encode()
        ).fetchone()
    assert row is not None
    return {
        "scores": f"{row[1]} of {row[0]}",
        "amount": "-" if row[2] is None else f"{row[2] / 100:,.2f}",
        "result_hash": (now.result_hash or "")[:_SHOWN],
    }


@contextmanager
def _turn(run_id: str) -> Iterator[Platform]:
    """The warehouse for one step of a run that builds the live line.

    Raises:
        WarehouseError: another pipeline works now, or a later run has begun, so this one must not go on.
    """
    from kefu.warehouse import Role, WarehouseError

    here = platform()
    with _failing(here, run_id), here.warehouse.pipeline_lock(run_id):
        with here.warehouse.connect(Role.TRANSFORMER) as connection:
            row = connection.execute(
                "select run_id, started_at from ops.run where kind = any(%s) order by started_at desc limit 1", [_LIVE]
            ).fetchone()
        if row is None or row[0] != run_id:
            raise WarehouseError(
                f"run {run_id} does not go on, because a later one has begun: {row}. Remedy: trigger a new run if the"
                " later one failed"
            )
        yield here


@contextmanager
def _failing(here: Platform, run_id: str) -> Iterator[None]:
    """Records a run as failed when a step of it fails; a retry that gets to the end makes it succeeded."""
    from kefu.pipeline.transform import end_run

    try:
        yield
    except BaseException:
        end_run(here, run_id, "failed")
        raise


def _scope(variables: dict[str, Any]) -> Scope:
    from kefu.pipeline.context import Scope

    return Scope(**{**variables, "as_of": datetime.fromisoformat(variables["as_of"])})


def _window(window: dict[str, str] | None) -> Window | None:
    from connectors.contract import Window

    return Window(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"])) if window else None
