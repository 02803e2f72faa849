"""`kefu explain`, `kefu reports`, `kefu compare`: scores in words, of one person, of all, beside another sheet."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bi.spec import Language
from kefu.pipeline.context import Platform
from kefu.settings import settings
from kefu.warehouse import Role

if TYPE_CHECKING:
    from bi.document import Document

console = Console(soft_wrap=True)
AUDITOR = Role.AUDITOR.value
PeriodOption = Annotated[str | None, typer.Option(help="id in config/periods.yml; the latest unless given")]
ReadAs = Annotated[str, typer.Option("--login", help="database login that reads; it is recorded")]
Purpose = Annotated[str | None, typer.Option(help="what for, kept in the access log; a real period needs it")]
LangOption = Annotated[Language, typer.Option(help="language of the answer")]


def explain(
    agent: Annotated[str, typer.Option(help="personnel number")],
    period: PeriodOption = None,
    lang: LangOption = "zh-CN",
    login: ReadAs = AUDITOR,
    purpose: Purpose = None,
) -> None:
    """Says how one person's score came about, in lines that add up to it."""
    from kefu.explain.appraisal import catalogue_of, load, scope_of
    from kefu.explain.card import card
    from kefu.payroll import CLOSED, Reader, reading, status

    platform = Platform(settings())
    meant = platform.period(period)
    if status(platform, meant.period_id).state in CLOSED:
        console.print(
            f"{meant.period_id} is locked: what follows is calculated from today's data; `kefu reports` says where the"
            " cards of its close are",
        )
    scope, who = scope_of(platform, meant), Reader(login, "kefu explain", purpose)
    with reading(platform, who, f"{scope.schema('appraisal')}.score", meant.period_id, [agent]) as reader:
        found = load(reader, scope, [agent])
    _print(card(found[agent], catalogue_of(platform, meant), meant, lang))


def reports(
    period: PeriodOption = None,
    folder: Annotated[Path | None, typer.Option(help="else reports/<period> in the data folder")] = None,
    login: ReadAs = AUDITOR,
    purpose: Purpose = None,
) -> None:
    """Writes every person's card and every team's report of a period as pages in both languages.

    Those of a locked period stay as its close wrote them: they are shown, or copied into the folder.
    """
    from kefu.explain.appraisal import scope_of
    from kefu.explain.write import write_reports
    from kefu.payroll import Reader, handed_out, reading

    platform = Platform(settings())
    meant = platform.period(period)
    who = Reader(login, "kefu reports", purpose)
    if sealed := handed_out(platform, meant.period_id):
        with reading(platform, who, sealed.name, meant.period_id):
            target = Path(shutil.copytree(sealed, folder, dirs_exist_ok=True)) if folder else sealed
        console.print(f"{meant.period_id} is locked; these are the pages its close wrote")
        count = sum(1 for _ in target.rglob("*.html"))
    else:
        target = folder or platform.settings.kefu_data_dir / "reports" / meant.period_id
        scope = scope_of(platform, meant)
        with reading(platform, who, f"{scope.schema('appraisal')}.score", meant.period_id) as reader:
            written = write_reports(
                platform, reader, scope, meant, target, lambda jobs: track(jobs, "writing", console=console)
            )
            count = len(list(written))
    console.print(f"{count} pages in {target}; they hold pay data: give everybody only their own")


def compare(
    against: Annotated[Path, typer.Option(help="the sheet in use, .xlsx or .csv, headings in the first row")],
    period: PeriodOption = None,
    lang: LangOption = "zh-CN",
    column: Annotated[
        list[str] | None,
        typer.Option(help="'<heading>=agent', '=score', '=<metric id>' or '=<metric id> points', as often as needed"),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="also write it as a page")] = None,
    login: ReadAs = AUDITOR,
    purpose: Purpose = None,
) -> None:
    """Explains agent by agent where our score differs from that of another sheet."""
    from bi.document import render
    from kefu.explain.appraisal import catalogue_of, load, scope_of
    from kefu.explain.compare import comparison, read_sheet
    from kefu.payroll import Reader, reading

    platform = Platform(settings())
    meant = platform.period(period)
    catalogue = catalogue_of(platform, meant)
    named = {heading: what for heading, _, what in (item.rpartition("=") for item in column or ())}
    sheet = read_sheet(against, catalogue, named)
    scope, who = scope_of(platform, meant), Reader(login, "kefu compare", purpose)
    with reading(platform, who, f"{scope.schema('appraisal')}.score", meant.period_id) as reader:
        found = load(reader, scope)
    document = comparison(found, sheet, catalogue, meant, lang, against.name)
    _print(document)
    if page:
        page.write_text(render(document), encoding="utf-8")
        console.print(f"written: {page}")


def _print(document: Document) -> None:
    """Prints a document as tables and lines."""
    demo = " [DEMO]" if document.is_demo else ""
    console.print(f"{document.title}{demo}", style="bold", markup=False)
    for line in (document.subtitle, *document.notes):
        console.print(line, markup=False, highlight=False)
    for label, value, _ in document.facts:
        console.print(f"  {label}: {value}", markup=False, highlight=False)
    for part in document.parts:
        console.print()
        console.print(part.title, style="bold", markup=False)
        if part.intro:
            console.print(part.intro, markup=False, highlight=False)
        for grid in part.grids:
            shown = [place for place, (_, _) in enumerate(grid.headings) if any(row[place].text for row in grid.rows)]
            table = Table()
            for place in shown:
                heading, align = grid.headings[place]
                table.add_column(heading, justify="right" if align == "end" else "left")
            for number, row in enumerate([*grid.rows, *grid.totals]):
                if number == len(grid.rows):
                    table.add_section()
                table.add_row(*("\n".join(filter(None, (row[place].text, row[place].note))) for place in shown))
            console.print(table)
        for point in part.points:
            console.print(f"  - {point}", markup=False, highlight=False)
