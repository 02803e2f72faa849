"""Cards and reports as files: everybody's own folder, each team's own folder, both languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from psycopg import Connection

from bi.document import render
from bi.spec import LANGUAGES, Language
from kefu.catalogue.models import Period
from kefu.explain.appraisal import Appraisal, catalogue_of, load, team_targets
from kefu.explain.card import card, with_other
from kefu.explain.team import report
from kefu.pipeline.context import Platform, Scope

Job = tuple[Path, str]


def write_reports(
    platform: Platform,
    reader: Connection,
    scope: Scope,
    period: Period,
    folder: Path,
    watch: Callable[[Iterable[Job]], Iterable[Job]] = iter,
) -> Iterator[Path]:
    """Writes `agents/<number>/card.<language>.html` and `teams/<team>/report.<language>.html`; yields the paths.

    Only their owner may read the folders, because pages hold pay data; a page is the same when it is written again.
    `reader` is the connection of `kefu.payroll.reading`, which has recorded who reads all of them; `watch` wraps the
    pages to write, for progress.

    Raises:
        WarehouseError: nobody is scored in that period.
    """
    catalogue = catalogue_of(platform, period)
    appraisals = load(reader, scope)
    targets = team_targets(platform, scope)
    teams: dict[str, list[Appraisal]] = defaultdict(list)
    for appraisal in appraisals.values():
        teams[appraisal.score["team_key"]].append(appraisal)

    def jobs() -> Iterator[Job]:
        for language in LANGUAGES:
            other = next(name for name in LANGUAGES if name != language)
            for agent, appraisal in appraisals.items():
                page = with_other(card(appraisal, catalogue, period, language), _named("card", other))
                yield folder / "agents" / agent / _named("card", language), render(page)
            for team, people in sorted(teams.items()):
                page = with_other(
                    report(team, people, targets[team], catalogue, period, language), _named("report", other)
                )
                yield folder / "teams" / team / _named("report", language), render(page)

    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path, text in watch(jobs()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield path


def _named(what: str, language: Language) -> str:
    return f"{what}.{language}.html"
