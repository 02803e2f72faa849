"""One team's month: its own numbers against targets, its people with intervals, what waits for the lead."""

from __future__ import annotations

from decimal import Decimal
from statistics import median

from bi.document import Cell, Document, Grid, Part, Tone
from bi.spec import Language, load_labels
from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Period
from kefu.explain.appraisal import Appraisal, Row
from kefu.plan.words import Words

_PLACES = 2


def report(
    team_id: str, people: list[Appraisal], targets: list[Row], catalogue: Catalogue, period: Period, language: Language
) -> Document:
    """Returns the report of a team in one language.

    Args:
        people: the appraisals of those whose last team in the period this is.
        targets: rows of `target_attainment` of the team and period over all channels, computed at the team itself.
    """
    words = Words(catalogue, language)
    say, number = words.say, words.formatter.number
    scores = [person.score["composite"] for person in people if person.score["composite"] is not None]
    middle = median(scores) if scores else None
    days = " – ".join(words.formatter.day(day) for day in (period.start, period.end))
    name = words.text(catalogue.teams[team_id].name) if team_id in catalogue.teams else team_id
    reached = [row["is_met"] for row in targets if row["is_met"] is not None]
    facts: list[tuple[str, str, Tone]] = [
        (say("得分中位数", "Median score"), "—" if middle is None else number(middle, _PLACES), "plain"),
        (say("有得分的人数", "People with a score"), f"{len(scores)} / {len(people)}", "plain"),
        (say("达成目标", "Targets met"), f"{sum(reached)} / {len(reached)}", "plain"),
    ]
    return Document(
        language=language,
        title=say(f"{name} 月报", f"Report of {name}"),
        subtitle=f"{words.text(period.name)} · {days}",
        is_demo=any(person.score["period_mode"] == "demo" for person in people),
        facts=facts,
        parts=[
            _people(people, middle, words),
            _targets(targets, words),
            _waiting(people, words),
        ],
    )


def _people(people: list[Appraisal], middle: Decimal | None, words: Words) -> Part:
    say, number = words.say, words.formatter.number
    grid = Grid(
        headings=(
            (say("客服", "Agent"), "start"), (say("得分", "Score"), "end"), (words.interval(), "end"),
            (say("等级", "Grade"), "start"), (say("与中位数相比", "Against the median"), "start"),
            (say("较上期", "Since last period"), "end"), (say("状态", "Status"), "start"),
        ),
        rows=[],
    )  # fmt: skip
    ranked = sorted(people, key=lambda person: person.score["agent_key"])
    ranked.sort(key=lambda person: (person.score["composite"] is None, -(person.score["composite"] or 0)))
    for person in ranked:
        score = person.score
        composite, low, high = score["composite"], score["interval_low"], score["interval_high"]
        before = person.history[-1]["composite"] if person.history else None
        grid.rows.append(
            (
                Cell(score["agent_name"], score["agent_key"]),
                Cell("—" if composite is None else number(composite, _PLACES)),
                Cell("—" if low is None else f"{number(low, 1)} – {number(high, 1)}"),
                Cell(score["grade"] or "—"),
                _against(middle, low, high, words),
                Cell("—" if composite is None or before is None else f"{composite - before:+.2f}"),
                Cell(load_labels().code("score_status", score["status"]).of(words.language)),
            )
        )
    return Part(
        say("成员", "People"),
        say(
            "只有整个区间都在中位数之上或之下，才算明显高于或低于；其余的差别可能只是偶然。",
            "Only who has the whole interval above or below the median is clearly above or below; other differences "
            "may be chance.",
        ),
        [grid],
    )


def _against(middle: Decimal | None, low: Decimal | None, high: Decimal | None, words: Words) -> Cell:
    if middle is None or low is None or high is None:
        return Cell("—")
    if low > middle:
        return Cell(words.say("明显高于", "clearly above"), tone="good")
    if high < middle:
        return Cell(words.say("明显低于", "clearly below"), tone="warn")
    return Cell(words.say("无明显差别", "no clear difference"), tone="muted")


def _targets(targets: list[Row], words: Words) -> Part:
    say = words.say
    grid = Grid(
        headings=(
            (say("指标", "Metric"), "start"), (say("班组数值", "Team"), "end"), (say("目标", "Target"), "end"),
            ("n", "end"), (say("达成", "Met"), "start"),
        ),
        rows=[],
    )  # fmt: skip
    for row in targets:
        metric = words.catalogue.metrics[row["metric_id"]]
        reason = load_labels().code("null_reason", row["null_reason"] or "unknown").of(words.language)
        shown = reason if row["value"] is None else words.formatter.value(row["value"], metric.unit, metric.decimals)
        met = Cell(say("达成", "met"), tone="good") if row["is_met"] else Cell(say("未达成", "not met"), tone="bad")
        if row["is_met"] is None:
            met = Cell("—")
        grid.rows.append(
            (
                Cell(words.metric(row["metric_id"])),
                Cell(shown, tone="muted" if row["value"] is None else "plain"),
                Cell(words.formatter.target(row["target"], metric.unit, metric.direction, row["tolerance"])),
                Cell("—" if row["n"] is None else str(row["n"])),
                met,
            )
        )
    return Part(
        say("目标达成", "Targets"),
        say(
            "班组数值按班组自己的明细计算，不是个人的平均。",
            "Computed from the team's own rows, not averaged over people.",
        ),
        [grid] if grid.rows else [],
        [] if grid.rows else [say("没有适用的目标。", "No target applies.")],
    )


def _waiting(people: list[Appraisal], words: Words) -> Part:
    suffix = words.say("zh", "en")
    points = [
        f"{person.score['agent_name']}{words.say('：', ': ')}{text}"
        for person in people
        for text in (
            *(row[f"words_{suffix}"] for row in person.coaching),
            *(row[f"reason_{suffix}"] for row in person.findings),
        )
        if text
    ]
    return Part(
        words.say("等待处理", "Waiting for the lead"),
        words.say("异常只是线索，不是结论。", "What looks unusual is a lead, not a verdict.") if points else "",
        points=points or [words.say("没有。", "Nothing.")],
    )
