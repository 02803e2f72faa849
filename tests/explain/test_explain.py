"""Cards and reports: the shown lines add up to the published score, and everybody sees only their own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bi.document import Document, render
from bi.spec import LANGUAGES, Language
from kefu.cli import app
from kefu.explain.appraisal import FEWEST_PEERS, PERCENTILES, Appraisal, catalogue_of, load, scope_of, team_targets
from kefu.explain.card import card
from kefu.explain.team import report
from kefu.explain.write import write_reports
from kefu.payroll import Close, CloseRefused, handed_out
from kefu.pipeline.context import Platform, Scope
from kefu.warehouse import Role, WarehouseError
from kefu.yaml_files import read_yaml
from tests.conftest import Copy
from tests.e2e.support import Line

CardOf = Callable[[str, Language], Document]
PUBLISHED = "CS1001"


@pytest.fixture(scope="module")
def appraisals(line: Line) -> dict[str, Appraisal]:
    return loaded(line.platform)


def loaded(platform: Platform, agents: list[str] | None = None, scope: Scope | None = None) -> dict[str, Appraisal]:
    with platform.warehouse.connect(Role.AUDITOR) as reader:
        return load(reader, scope or scope_of(platform, platform.period()), agents)


def pages(platform: Platform, folder: Path) -> list[Path]:
    period = platform.period()
    with platform.warehouse.connect(Role.AUDITOR) as reader:
        return list(write_reports(platform, reader, scope_of(platform, period), period, folder))


def cards(line: Line, appraisals: dict[str, Appraisal], language: Language) -> dict[str, Document]:
    platform = line.platform
    return {agent: card(found, platform.catalogue, platform.period(), language) for agent, found in appraisals.items()}


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("+", ""))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shown_lines_add_up_to_the_published_score(
    line: Line, appraisals: dict[str, Appraisal], language: Language
) -> None:
    published = 0
    for agent, document in cards(line, appraisals, language).items():
        grid = document.parts[0].grids[0]
        total, weight = number(grid.totals[0][3].text), number(grid.totals[0][2].text)
        assert sum(number(row[3].text) for row in grid.rows) == total
        assert sum(number(row[2].text) for row in grid.rows) == weight == 100
        score = appraisals[agent].score
        if score["composite"] is not None:
            published += 1
            assert total == score["composite_before_gates"]
            assert number(document.facts[0][1]) == score["composite"]
    assert published >= 10


def test_every_change_of_a_weight_has_its_reason_in_both_languages(
    line: Line, appraisals: dict[str, Appraisal]
) -> None:
    changed = 0
    chinese, english = (cards(line, appraisals, language) for language in LANGUAGES)
    for agent in appraisals:
        for zh, en in zip(chinese[agent].parts[2].grids[0].rows, english[agent].parts[2].grids[0].rows, strict=True):
            assert (zh[1].text, zh[3].text) == (en[1].text, en[3].text)
            if zh[1].text != zh[3].text:
                changed += 1
                assert re.search("[一-鿿]", zh[5].text) and re.search("[a-z]{3}", en[5].text)
    assert changed >= 50


def test_what_would_reach_the_next_grade_reaches_it(line: Line, appraisals: dict[str, Appraisal]) -> None:
    """Recomputed from the sentence itself: the value in it earns the missing points, by the plan's own curve."""
    plan = line.platform.catalogue.plans["demo"]
    curves = {entry.metric_id: entry.curve for entry in plan.metrics}
    names = {line.platform.catalogue.metrics[name].name.en: name for name in curves}
    steps = 0
    for agent, document in cards(line, appraisals, "en").items():
        found = appraisals[agent]
        score = found.score
        part = next((part for part in document.parts if part.title == "What would reach the next grade"), None)
        for point in part.points if part else []:
            said = re.fullmatch(r"(.+): from (\S+) to (\S+)", point)
            if not said or said[1] not in names or not re.fullmatch(r"[\d.,]+%?", said[3]):
                continue
            row = next(row for row in found.components if row["metric_id"] == names[said[1]])
            if row["scored_value"] not in (row["raw_value"], row["shrunk_value"]):
                continue  # a target in proportion to time: the sentence is in actual values
            value = number(said[3].removesuffix("%")) / (100 if said[3].endswith("%") else 1)
            # The sentence shows fewer decimals than were asked for.
            unit = Decimal(1).scaleb(value.as_tuple().exponent)
            best = max(curves[row["metric_id"]].score(value + shift * unit) for shift in (-1, 0, 1))
            gained = row["effective_weight"] * row["stint_share"] * (best - row["curve_score"]) / 100
            limit = min(limit for limit in plan.grades.values() if limit > score["composite"])
            assert score["composite"] + gained >= limit - Decimal("0.01"), (agent, point)
            steps += 1
    assert steps >= 5


def test_peers_are_a_distribution_and_few_people_are_not_shown(appraisals: dict[str, Appraisal]) -> None:
    found = appraisals[PUBLISHED].peers
    assert found and all(list(marks) == sorted(marks) and len(marks) == 5 for marks in found.values())
    scored = [appraisal.score["composite"] for appraisal in appraisals.values() if appraisal.score["composite"]]
    assert len(scored) >= FEWEST_PEERS and found["demo", ""][2] > 0


def test_new_hires_are_compared_with_new_hires(line: Line, copy_of: Copy, appraisals: dict[str, Appraisal]) -> None:
    platform = copy_of(line.platform, "t_explain_peers")
    scored = [agent for agent, appraisal in appraisals.items() if appraisal.score["composite"] is not None]
    new = scored[: FEWEST_PEERS - 1]
    with platform.warehouse.connect(Role.OWNER) as owner:
        owner.execute(
            "update wh_appraisal.score set peer_group_key = 'demo_v1/agent/new_hire' where agent_key = any(%s)", [new]
        )
    found = loaded(platform)
    others = [float(found[agent].score["composite"]) for agent in scored if agent not in new]
    assert all(("demo", "") not in found[agent].peers for agent in new)
    assert len(others) >= FEWEST_PEERS
    assert found[scored[-1]].peers["demo", ""] == tuple(float(mark) for mark in np.percentile(others, PERCENTILES))


def test_everybody_has_a_folder_with_own_data_only(line: Line, tmp_path: Path) -> None:
    platform = line.platform
    written = pages(platform, tmp_path / "reports")
    people = sorted(path.name for path in (tmp_path / "reports" / "agents").iterdir())
    teams = sorted(path.name for path in (tmp_path / "reports" / "teams").iterdir())
    assert len(written) == len(LANGUAGES) * (len(people) + len(teams)) and len(people) >= 12
    assert (tmp_path / "reports").stat().st_mode & 0o077 == 0
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text and not re.search(r'(src|href)="https?:', text)
        if path.parent.parent.name == "agents":
            assert [name for name in people if name != path.parent.name and name in text] == []
    before = {path: path.read_bytes() for path in written}
    pages(platform, tmp_path / "reports")
    assert {path: path.read_bytes() for path in written} == before


def test_the_lines_of_the_money_add_up_to_the_amount(line: Line, appraisals: dict[str, Appraisal]) -> None:
    """Also where a part is held, a correction is taken back and a pool scales the bonus."""
    found = next(one for one in appraisals.values() if one.payment and one.payment["bonus_fen"])
    assert found.payment is not None
    own = found.payment | {"piece_fen": 1_250, "adjustment_fen": -300, "held_fen": 4_000, "pool_share": Decimal("0.9")}
    own["amount_fen"] = own["bonus_fen"] + 1_250 - 300 - 4_000
    platform = line.platform
    for language in LANGUAGES:
        document = card(replace(found, payment=own), platform.catalogue, platform.period(), language)
        [grid] = next(part for part in document.parts if part.title in ("钱怎么算的", "How the money came about")).grids
        amounts = [number(row[1].text.replace("¥", "")) for row in grid.rows]
        assert len(amounts) == 4 and sum(amounts) == number(grid.totals[0][1].text.replace("¥", ""))


def test_earlier_scores_are_those_of_earlier_periods(closed: tuple[Platform, Close]) -> None:
    """A later period may be locked when the card of an older one is written, as in a restatement."""
    platform = closed[0]
    scope = platform.scope(platform.period())
    seen = {
        day: [row["period_id"] for row in loaded(platform, scope=replace(scope, period_start=day))[PUBLISHED].history]
        for day in ("2026-10-01", "2026-12-01")
    }
    assert seen == {"2026-10-01": [], "2026-12-01": ["2026_11_demo"]}


def test_a_manager_s_comment_is_on_the_card_of_its_period(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_comment")
    with platform.warehouse.connect(Role.OWNER) as owner:
        columns = (
            "_source_id, _key, _row_hash, _load_seq, _load_row, _is_change, _is_deleted, comment_id, employee_number,"
            " manager_number, about_on, metric_id, comment"
        )
        for key, day in (("in", "2026-11-20"), ("out", "2026-10-20")):
            owner.execute(
                f"insert into raw_tabular.manager_comment ({columns}) values ('inbox', %s, md5(%s)::uuid, 1, 1, false,"
                " false, %s, %s, 'CS1', %s, 'csat_rate', %s)".encode(),
                [key, key, key, PUBLISHED, day, f"well done, {key}"],
            )
    assert _comments(platform) == ["Satisfaction rate: well done, in"]


def _comments(platform: Platform) -> list[str]:
    found = loaded(platform, [PUBLISHED])
    document = card(found[PUBLISHED], platform.catalogue, platform.period(), "en")
    assert "well done" in render(document)
    return next(part.points for part in document.parts if part.title == "Comments of the manager")


def test_a_score_is_explained_by_the_plan_it_was_calculated_with(line: Line, tmp_path: Path) -> None:
    """The files may have moved on to the next version; the card of an older period may not."""
    platform = line.platform
    config = shutil.copytree(platform.settings.kefu_config_dir, tmp_path / "config")
    plan = config / "plans" / "demo.yml"
    body = read_yaml(plan)
    assert isinstance(body, dict)
    plan.write_text(
        json.dumps(body | {"version": 2, "name": {"zh": "新方案", "en": "Next plan"}}, default=str), encoding="utf-8"
    )
    database = platform.warehouse.parameters(Role.OWNER)["dbname"]
    moved_on = Platform(platform.settings.model_copy(update={"kefu_config_dir": config}), database)
    assert moved_on.catalogue.plans["demo"].version == 2
    found = loaded(moved_on, [PUBLISHED])
    shown = card(found[PUBLISHED], catalogue_of(moved_on, moved_on.period()), moved_on.period(), "en")
    assert shown.subtitle.endswith(f"{body['name']['en']} v1")


def test_the_pages_of_a_locked_period_are_those_its_close_wrote(
    closed: tuple[Platform, Close], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = closed[0]
    monkeypatch.setattr("kefu.cli_explain.settings", lambda: platform.settings)
    sealed = handed_out(platform, platform.period().period_id)
    assert sealed is not None
    before = {path.relative_to(sealed): path.read_bytes() for path in sealed.rglob("*.html")}
    assert len(before) >= 2 * 12
    said = CliRunner().invoke(app, ["reports"], catch_exceptions=False).output.replace("\n", "")
    assert "2026_11_demo is locked" in said and f"{len(before)} pages in {sealed}" in said
    copied = tmp_path / "again"
    CliRunner().invoke(app, ["reports", "--folder", str(copied)], catch_exceptions=False)
    assert {path.relative_to(copied): path.read_bytes() for path in copied.rglob("*.html")} == before
    elsewhere = Platform(platform.settings.model_copy(update={"kefu_data_dir": tmp_path}))
    with pytest.raises(CloseRefused, match=r"the pages its close wrote are not in .*Remedy: take the folder"):
        handed_out(elsewhere, "2026_11_demo")


def test_every_reading_of_scores_is_recorded(
    line: Line, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = copy_of(line.platform, "t_read")
    monkeypatch.setattr("kefu.cli_explain.settings", lambda: platform.settings)
    (tmp_path / "old.csv").write_text(f"工号,总分\n{PUBLISHED},80\n", encoding="utf-8")
    for command in (
        ["explain", "--agent", PUBLISHED, "--login", "kefu_hr_approver", "--purpose", "asked by the person"],
        ["reports", "--folder", str(tmp_path / "reports")],
        ["compare", "--against", str(tmp_path / "old.csv")],
    ):
        CliRunner().invoke(app, command, catch_exceptions=False)
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        found = connection.execute(
            "select login, command, mart, period_id, agent_key, purpose from payroll.access order by access_id"
        ).fetchall()
    read = ("wh_appraisal.score", "2026_11_demo")
    assert found == [
        ("kefu_hr_approver", "kefu explain", *read, PUBLISHED, "asked by the person"),
        ("kefu_auditor", "kefu reports", *read, "all", None),
        ("kefu_auditor", "kefu compare", *read, "all", None),
    ]


def test_a_day_with_time_missing_is_listed_with_the_number_a_dispute_names(
    line: Line, appraisals: dict[str, Appraisal]
) -> None:
    titles = {"en": "Days with time missing", "zh-CN": "有迟到、早退或缺勤的日子"}
    for language in LANGUAGES:
        for agent, document in cards(line, appraisals, language).items():
            listed = [
                row[1].text for part in document.parts if part.title == titles[language] for row in part.grids[0].rows
            ]
            assert listed == [row["attendance_key"] for row in appraisals[agent].attendance]
            assert all(key.startswith(f"{agent}:2026-11-") for key in listed)
    [part] = [part for part in cards(line, appraisals, "en")[PUBLISHED].parts if part.title == titles["en"]]
    said = {row[1].text: row[2].text for row in part.grids[0].rows}
    assert said["CS1001:2026-11-06"] == "7h 19m of 8h 00m; late by 2m 33s; left early"


def test_facts_behind_gates_and_metrics_are_listed_with_what_a_dispute_names(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_explain_facts")
    with platform.warehouse.connect(Role.OWNER) as owner:
        owner.execute(
            "insert into wh_appraisal.gate_effect (period_id, agent_key, plan_id, fact_key, gate_id, fact_kind, effect,"
            " state, business_date, reporter_key, reason_zh, reason_en) select '2026_11_demo', 'CS1001', 'demo',"
            " 'inbox:F' || n, 'unapproved_absence', 'unapproved_absence', 'multiply', 'applied',"
            " date '2026-11-04' + n, 'CS3001', '旷工' || n, 'absent ' || n from generate_series(1, 2) as n"
        )
    found = loaded(platform, [PUBLISHED])[PUBLISHED]
    titles = {"en": "Facts behind gates and extra points", "zh-CN": "否决项与加减分的依据"}
    words = {"en": "absent ", "zh-CN": "旷工"}
    for language in LANGUAGES:
        document = card(found, platform.catalogue, platform.period(), language)
        [part] = [part for part in document.parts if part.title == titles[language]]
        assert [(row[1].text, row[2].text) for row in part.grids[0].rows] == [
            ("inbox:F1", f"{words[language]}1"), ("inbox:F2", f"{words[language]}2"),
        ]  # fmt: skip
        values = [row[0].note for row in document.parts[1].grids[0].rows]
        assert [note.split(";")[0].split("；")[0] for note in values] == [
            row["metric_id"] for row in found.components if row["metric_id"] in platform.catalogue.metrics
        ]


def test_a_team_report_shows_the_limits_of_a_target_that_is_a_band(line: Line) -> None:
    platform = line.platform
    with platform.warehouse.connect(Role.AUDITOR) as reader:
        answered = dict(
            reader.execute(
                "select unit_key, is_met from wh_kpi.target_attainment where unit_kind = 'team'"
                " and period_kind = 'period' and channel = 'all' and metric_id = 'survey_response_rate'"
                " and value is not null"
            ).fetchall()
        )
    targets = team_targets(platform, scope_of(platform, platform.period()))
    assert answered
    said: dict[Language, tuple[str, str]] = {"en": ("Targets", "met"), "zh-CN": ("目标达成", "达成")}
    for language, names in said.items():
        for team, is_met in answered.items():
            document = report(team, [], targets[team], platform.catalogue, platform.period(), language)
            [part] = [part for part in document.parts if part.title == names[0]]
            [row] = [row for row in part.grids[0].rows if row[2].text == "10% – 30%"]
            assert row[0].text == {"en": "Survey response rate", "zh-CN": "参评率"}[language]
            assert (row[4].text == names[1]) is is_met


def test_a_person_who_is_not_scored_is_named(line: Line) -> None:
    platform = line.platform
    with pytest.raises(WarehouseError, match=r"found CS9999, expected people scored in 2026_11_demo such as CS1001"):
        loaded(platform, ["CS9999"])
