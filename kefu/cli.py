"""The command line: `kefu run`, `kefu warehouse`, `kefu config`, `kefu period`, `kefu quarantine`."""

from __future__ import annotations

import getpass
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from kefu.catalogue.models import Grain
from kefu.cli_explain import compare, explain, reports
from kefu.cli_integrity import app as integrity_app
from kefu.cli_trust import app as trust_app
from kefu.payroll import closed_demo
from kefu.payroll.commands import dispute_app, payroll_app, period_app
from kefu.payroll.filing import file_sheets
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest as ingest_step
from kefu.pipeline.ingest import prepare
from kefu.pipeline.run import daily, line_of, render
from kefu.plan.commands import plan_app
from kefu.settings import PROJECT, settings
from kefu.warehouse import Role, Warehouse, WarehouseError, embedded

if TYPE_CHECKING:
    from kefu.catalogue.files import Catalogue
    from kefu.simulation.scenario import Scenario
    from kefu.simulation.world import World

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
warehouse_app = typer.Typer(no_args_is_help=True, help="The warehouse: embedded by default, by WAREHOUSE_URL else.")
config_app = typer.Typer(no_args_is_help=True, help="What config/ declares.")
metrics_app = typer.Typer(no_args_is_help=True, help="The metric catalogue and what a number is made of.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Records that broke their contract.")
app.add_typer(warehouse_app, name="warehouse")
app.add_typer(config_app, name="config")
app.add_typer(period_app, name="period")
app.add_typer(payroll_app, name="payroll")
app.add_typer(dispute_app, name="dispute")
app.add_typer(metrics_app, name="metrics")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(plan_app, name="plan")
for command in (explain, reports, compare):
    app.command()(command)
text_app = typer.Typer(no_args_is_help=True, help="What stored message text says.")
app.add_typer(text_app, name="text")
app.add_typer(integrity_app, name="integrity")
app.add_typer(trust_app, name="trust")
console = Console(soft_wrap=True)


def main() -> None:
    """Runs the command line; a known problem ends with its message and exit code 1, never with a stack trace."""
    from connectors.contract import SourceError
    from kefu.catalogue.files import ConfigError

    try:
        app()
    except (WarehouseError, ConfigError, SourceError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: ", end="")
        console.print(str(error), markup=False, highlight=False)
        sys.exit(1)


def _platform() -> Platform:
    return Platform(settings())


@app.command()
def run(
    close: Annotated[bool, typer.Option(help="also close the latest demo period")] = False,
    simulated: Annotated[bool, typer.Option(help="beside what config/ declares, load one simulated month")] = False,
) -> None:
    """Loads all sources, builds, checks, publishes and writes the pages."""
    with _with_simulated_month() if simulated else nullcontext(_platform()) as platform:
        _run(platform, close)


@contextmanager
def _with_simulated_month() -> Iterator[Platform]:
    from kefu.simulation.run import served_desk, write_operation

    own = settings()
    scenario = _demo_scenario(_platform().catalogue)
    folder = own.kefu_data_dir / "simulation"
    shown = folder.relative_to(PROJECT) if folder.is_relative_to(PROJECT) else folder
    world = write_operation(
        scenario, shown, base=own.kefu_config_dir, say=lambda line: console.print(f"  {line}", markup=False)
    )
    with served_desk(world):
        yield Platform(own.model_copy(update={"kefu_config_dir": folder / "config"}))


def _demo_scenario(catalogue: Catalogue) -> Scenario:
    """Returns the month of the latest period, in the site's own time zone."""
    from kefu.simulation.scenario import Scenario

    latest = max(catalogue.periods.values(), key=lambda period: period.end)
    return Scenario(start=latest.start.replace(day=1), time_zone=catalogue.site.time_zone, contacts_per_agent_day=4)


def _run(platform: Platform, close: bool) -> None:
    run_id = f"daily {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    with console.status("preparing the warehouse") as status:

        def say(line: str) -> None:
            console.print(f"  {line}", markup=False, highlight=False)
            status.update(f"after {line.split(':')[0]}")

        published = daily(platform, run_id, say=say, with_facts=lambda here: file_sheets(here).line())
        pages = render(platform)
        period = platform.period()
        if close and period.mode == "demo":
            sealed = closed_demo(platform, period.period_id, say)
    # A path that is cut off helps nobody: it goes on in the next line.
    summary = Table(Column(), Column(overflow="fold"), title="Kefu", show_header=False)
    summary.add_row("publication", f"{published.publication_id} (content {published.content_hash[:16]})")
    summary.add_row("team overview", str(_page(pages, "team_overview")))
    summary.add_row("data-quality report", str(_page(pages, "data_quality")))
    if close and period.mode == "demo":
        summary.add_row("payroll export (DEMO)", str(sealed.folder))
        summary.add_row("payroll content", f"{sealed.row_count} rows, sha256 {sealed.content_hash[:16]}")
    console.print(summary)
    if published.withheld:
        console.print(f"scores are withheld because of: {', '.join(published.withheld)}")


def _page(pages: list[Path], name: str) -> Path:
    return next(page for page in pages if page.name == f"{name}.zh-CN.html")


@app.command()
def ingest(
    source_id: str, entity: str,
    accept_shrink: Annotated[bool, typer.Option(help="accept a complete read that is much smaller")] = False,
) -> None:  # fmt: skip
    """Loads one entity of one source completely."""
    platform = _platform()
    prepare(platform)
    run_id = f"ingest {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    console.print(line_of(ingest_step(platform, run_id, source_id, entity, accept_shrink=accept_shrink)), markup=False)


@app.command()
def template(
    kinds: Annotated[list[str] | None, typer.Argument(help="kinds of sheet, e.g. exam; else all")] = None,
    folder: Annotated[Path, typer.Option(help="where to write them")] = Path("templates"),
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of Excel")] = False,
) -> None:
    """Writes empty sheets with all headings, for people to fill and put into inbox/."""
    from connectors.tabular import SYSTEM
    from connectors.tabular.templates import write_template

    folder.mkdir(parents=True, exist_ok=True)
    for kind in kinds or SYSTEM.entities:
        path = folder / f"{kind}.{'csv' if as_csv else 'xlsx'}"
        if path.exists():
            console.print(f"{path} is there already and may be filled. Remedy: move it away", markup=False)
            raise typer.Exit(1)
        try:
            write_template(kind, path)
        except ValueError as error:
            console.print(str(error), markup=False, highlight=False)
            raise typer.Exit(1) from error
        console.print(str(path), markup=False, highlight=False)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="where to write; the same scenario is not written twice")],
    seed: Annotated[int, typer.Option(help="changes everything that is left to chance")] = 1,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="first of a month")] = datetime(2026, 10, 1),
    months: Annotated[int, typer.Option(help="how many")] = 1,
    agents: Annotated[int, typer.Option(help="people of all roles, 6 to 5000")] = 60,
    time_zone: Annotated[str, typer.Option(help="IANA name")] = "Asia/Shanghai",
    contacts_per_agent_day: Annotated[float, typer.Option(help="inbound contacts for one worked shift")] = 30,
    chat_bot_share: Annotated[float, typer.Option(help="share of the web chats that a bot begins, 0 to 1")] = 0,
    strength: Annotated[
        list[str] | None, typer.Option(help="FAULT=zero|low|middle|high, as often as needed; else middle")
    ] = None,
    follow_up: Annotated[
        bool, typer.Option(help="customers are also asked by hand, with the faults that only this shows")
    ] = False,
    malformed: Annotated[bool, typer.Option(help="also write records that break the contracts")] = False,
    exchange_url_env: Annotated[
        str | None, typer.Option(help="variable with the address of an empty database for the exchange's tables")
    ] = None,
    chat_url_env: Annotated[str | None, typer.Option(help="the same for the web chat's tables")] = None,
    serve: Annotated[bool, typer.Option(help="then keep the HTTP systems up until Ctrl-C")] = False,
    port: Annotated[int, typer.Option(help="port of the first server; 0: any free one")] = 0,
) -> None:
    """Writes a synthetic operation in the formats of real systems, with a truth file of what was planted."""
    from kefu.simulation.run import SimulationError, write_operation
    from kefu.simulation.scenario import Scenario

    strengths = dict(item.partition("=")[::2] for item in strength or [])
    try:
        scenario = Scenario.model_validate(
            {
                "seed": seed, "start": start.date(), "months": months, "agents": agents, "time_zone": time_zone,
                "contacts_per_agent_day": contacts_per_agent_day, "chat_bot_share": chat_bot_share,
                "strengths": strengths, "follow_up": follow_up,
            }
        )  # fmt: skip
        with console.status("simulating"):
            world = write_operation(
                scenario, folder, base=settings().kefu_config_dir, is_alone=True, malformed=malformed,
                exchange_url_env=exchange_url_env, chat_url_env=chat_url_env,
                say=lambda line: console.print(f"  {line}", markup=False),
            )  # fmt: skip
    except (ValidationError, SimulationError) as error:
        console.print(f"this cannot be simulated: {error}", markup=False, highlight=False)
        raise typer.Exit(1) from error
    console.print(f"written to {folder}; read it with KEFU_CONFIG_DIR={folder / 'config'}", markup=False)
    if serve:
        _serve(world, port)


def _serve(world: World, port: int) -> None:
    from kefu.simulation.run import desk_variables
    from kefu.simulation.serve import serve

    with serve(world, ["live_helper_chat", "chatwoot"], port) as servers:
        for system, server in servers.by_system.items():
            console.print(f"{system}: {server.url}, settings {server.settings}", markup=False)
            console.print(f"  variables {server.environment}; habits: POST {server.url}/_control")
        variables = " ".join(f"{name}={value}" for name, value in desk_variables(servers).items())
        console.print(f"the written config/ reads it with {variables}")
        console.print("press Ctrl-C to stop")
        with suppress(KeyboardInterrupt):
            signal.pause()


@app.command()
def purge() -> None:
    """Takes away what is past its retention (`retention` in config/defaults.yml): text, row evidence, old scores."""
    from kefu.payroll.retention import purge

    for line in purge(_platform()):
        console.print(line, markup=False, highlight=False)


@warehouse_app.command()
def start() -> None:
    """Starts the embedded server, or checks the one of WAREHOUSE_URL."""
    Warehouse(settings()).ensure_running()
    status()


@warehouse_app.command()
def stop() -> None:
    """Stops the embedded server; committed data stays."""
    embedded.stop(settings())
    console.print("the embedded server is stopped")


@warehouse_app.command()
def status() -> None:
    """Says where the warehouse is and whether it answers."""
    found = Warehouse(settings())
    parameters = found.parameters(Role.OWNER)
    if found.is_embedded and not embedded.is_running(settings()):
        console.print("embedded, not running. Remedy: kefu warehouse start")
        raise typer.Exit(1)
    with found.connect(Role.OWNER) as connection:
        version = connection.info.server_version // 10000
    kind = "embedded" if found.is_embedded else "by WAREHOUSE_URL"
    console.print(f"{kind}: PostgreSQL {version} at {parameters['host']}:{parameters['port']}/{parameters['dbname']}")


@warehouse_app.command()
def migrate() -> None:
    """Brings schemas, raw tables and configuration up to date."""
    for line in prepare(_platform()) or ["nothing to do"]:
        console.print(line, markup=False, highlight=False)


@warehouse_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, login: Annotated[str, typer.Option(help="login to use")] = "kefu_auditor") -> None:
    """Opens psql; arguments after -- go to it."""
    parameters = Warehouse(settings()).parameters(Role(login))
    environment = {
        "PGHOST": parameters["host"], "PGPORT": parameters["port"], "PGDATABASE": parameters["dbname"],
        "PGUSER": parameters["user"], "PGPASSWORD": parameters["password"],
    }  # fmt: skip
    sys.exit(subprocess.run([str(embedded.binary("psql")), *context.args], env=environment, cwd=PROJECT).returncode)


@config_app.command()
def check() -> None:
    """Validates config/ without a database."""
    from kefu.catalogue.files import KINDS

    objects = _platform().catalogue.objects
    console.print(", ".join(f"{len(objects[kind.name])} {kind.name}" for kind in KINDS))


@config_app.command()
def apply() -> None:
    """Validates config/ and writes new versions to the warehouse."""
    migrate()


@config_app.command("customer-key")
def print_customer_key(source_id: Annotated[str, typer.Argument(help="source whose numbers they are")]) -> None:
    """Asks for a phone number or mail address and prints its key, for `test_customers` in config/site.yml."""
    from connectors.personal import customer_key, normalise_email, normalise_phone

    platform = _platform()
    if source_id not in platform.catalogue.sources:
        raise WarehouseError(f"no source {source_id}. Remedy: use one of {sorted(platform.catalogue.sources)}")
    context = platform.context(platform.catalogue.sources[source_id])
    given = typer.prompt("number or address", hide_input=True)
    normalised, kind = normalise_email(given) if "@" in given else normalise_phone(given, context)
    if normalised is None:
        raise WarehouseError(f"what was typed is {kind}. Remedy: type the number or address of one customer")
    console.print(customer_key(context.customer_secret, normalised), highlight=False)


@config_app.command()
def generate(
    check_only: Annotated[bool, typer.Option("--check", help="fail when a generated file is stale")] = False,
) -> None:
    """Writes what is generated from config/: measure SQL and JSON Schemas."""
    from kefu.catalogue.generated import generated_files

    stale = []
    for path, text in generated_files(_platform().catalogue).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check_only:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in stale:
        console.print(f"{'stale' if check_only else 'written'}: {path.relative_to(PROJECT)}")
    if check_only and stale:
        raise typer.Exit(1)


@metrics_app.command("list")
def list_metrics(
    dimension: Annotated[str | None, typer.Option(help="only those of one dimension, e.g. voice")] = None,
) -> None:
    """Lists the metrics by dimension, with their names in both languages."""
    metrics = sorted(_platform().catalogue.metrics.values(), key=lambda metric: metric.display_order)
    for name in dict.fromkeys(metric.dimension for metric in metrics):
        if dimension in (None, name):
            console.print(f"[bold]{name}[/bold]")
            for metric in (metric for metric in metrics if metric.dimension == name):
                line = f"  {metric.metric_id}  {metric.name.zh} · {metric.name.en} ({', '.join(metric.units)})"
                console.print(line, markup=False, highlight=False)


@metrics_app.command("show")
def show_metric(
    metric_id: str,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="as in force on this day; else on the last one of the latest period"),
    ] = None,
) -> None:
    """Shows one metric's definition in both languages with its measures, parameters and targets."""
    from kefu.catalogue.files import catalogue_on
    from kefu.catalogue.handbook import entry

    platform = _platform()
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        shown_on = day.date() if day else platform.period().end
        catalogue = catalogue_on(connection, platform.catalogue, shown_on)
    if metric_id not in catalogue.metrics:
        raise WarehouseError(f"no metric {metric_id}. Remedy: see `kefu metrics list`")
    for language in ("zh-CN", "en"):
        shown = entry(catalogue, catalogue.metrics[metric_id], language)
        console.print(f"[bold]{shown.name}[/bold] ({metric_id})")
        for label, text in ((None, shown.question), (None, shown.formula), *shown.facts):
            console.print(f"  {label}: {text}" if label else f"  {text}", markup=False, highlight=False)


@metrics_app.command("explain")
def explain_metric(
    metric_id: str,
    agent: Annotated[str | None, typer.Option(help="personnel number")] = None,
    team: Annotated[str | None, typer.Option(help="team")] = None,
    queue: Annotated[str | None, typer.Option(help="queue")] = None,
    channel: Annotated[str, typer.Option(help="voice, chat, none, or all of them together")] = "all",
    period_kind: Annotated[Grain, typer.Option()] = "period",
    period: Annotated[
        str | None,
        typer.Option(help="2026-11-03, 2026-W45, 2026-11, or an id in config/periods.yml, whose latest is the default"),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="rows shown of each measure")] = 10,
) -> None:
    """Prints the formula with the actual numbers and the rows behind it; without a unit, of the whole site."""
    from kefu.pipeline.metrics import Computed, explain

    platform = _platform()
    unit = next((pair for pair in (("agent", agent), ("team", team), ("queue", queue)) if pair[1]), ("site", "site"))
    found = explain(
        platform,
        metric_id,
        (unit[0], str(unit[1])),
        period,
        period_kind=period_kind,
        channel=channel,
        most_rows=rows,
    )
    for line in found.lines():
        console.print(line, markup=False, highlight=False)
    if isinstance(found, Computed):
        _say_left_out(found.row_count - len(found.rows))
        return
    for part in found.parts:
        console.print(part.heading(), markup=False, highlight=False)
        table = Table(*part.columns)
        for row in part.rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        if part.rows:
            console.print(table)
        _say_left_out(part.row_count - len(part.rows))


def _say_left_out(row_count: int) -> None:
    if row_count:
        console.print(f"  ... {row_count} more rows; --rows shows them")


@quarantine_app.command("list")
def list_quarantine() -> None:
    """Lists open records: where, which field, found, expected, remedy."""
    from kefu.pipeline.quarantine import open_records

    for record in open_records(Warehouse(settings())):
        console.print(record.line(), markup=False, highlight=False)


@quarantine_app.command()
def replay(source_id: str, entity: str) -> None:
    """Reads the payloads of open records again with today's declarations."""
    from kefu.pipeline.quarantine import replay as replay_records

    platform = _platform()
    report = replay_records(platform, source_id, entity)
    console.print(line_of(report), markup=False)


@quarantine_app.command()
def show(quarantine_id: int) -> None:
    """Prints an open record as its source delivered it, personal data included."""
    from kefu.pipeline.quarantine import payload

    for name, value in payload(_platform(), quarantine_id).items():
        console.print(f"{name}: {value}", markup=False, highlight=False)


@quarantine_app.command()
def dismiss(
    quarantine_id: int,
    because: Annotated[str, typer.Option(min=3, help="why it will never be loaded; kept with the record")],
) -> None:
    """Settles an open record that cannot be repaired, so that it no longer stands against a close."""
    from kefu.pipeline.quarantine import dismiss as dismiss_record

    dismiss_record(Warehouse(settings()), quarantine_id, getpass.getuser(), because)
    console.print(f"#{quarantine_id} is dismissed")


@text_app.command("derive")
def derive_features() -> None:
    """Reads new texts with the lexicons of config/lexicons/; writes what they find, never a text."""
    from kefu.pipeline.text import derive

    for line in [found.line() for found in derive(_platform())] or ["nothing new to read"]:
        console.print(line, markup=False, highlight=False)
