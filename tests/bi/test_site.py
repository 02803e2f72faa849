"""The pages as a reader gets them: parsed, and drawn by a real browser at the width of a desk and of a phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bi.site import SiteError, index_links, render_site
from bi.spec import DASHBOARDS, LANGUAGES, SpecError, load_labels, load_site
from bi.view import View
from tests.bi import dataset
from tests.bi.conftest import fetch_with

VOID = {"meta", "link", "br", "img", "input", "hr"}
PAGES = ["index", "team_overview", "metrics", "operations", "coaching", "reliability", "data_quality"]


class Page(HTMLParser):
    """The parts of a page that tests ask for; refuses tags that do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        # A place where an id may break is no part of what is read.
        self.feed(self.source.replace("<wbr>", ""))
        self.close()
        assert not self.open, f"{path.name}: unclosed {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        where = [tag for tag, _ in self.open]
        if not data.strip() or {"style", "script", "button"} & set(where):
            return
        self.texts.append((" ".join((self.open[-1][1].get("class") or "").split()), data.strip()))
        if {"td", "th"} & set(where) and "tip" not in {attrs.get("class") for _, attrs in self.open}:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.texts)

    def row(self, start: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].startswith(start))

    def tile(self, title: str) -> str:
        (found,) = [part for part in self.source.split('<li class="tile">')[1:] if f"<h4>{title}</h4>" in part]
        return found.split("</li>")[0]


@pytest.fixture(scope="module")
def folder(reader: psycopg.Connection[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    paths = render_site(fetch_with(reader), made)
    assert [path.name for path in paths] == [
        "index.html",
        *(f"{page}.{language}.html" for language in LANGUAGES for page in PAGES),
    ]
    return made


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, Page]:
    return {path.stem: Page(path) for path in folder.glob("*.html")}


def test_every_page_opens_without_a_network(pages: dict[str, Page], folder: Path) -> None:
    checked = 0
    for page in pages.values():
        assert not re.search(r"https?:|//cdn|@import|url\(", page.source)
        for _, name, value in page.attributes:
            if name in ("href", "src", "action"):
                checked += 1
                assert value.startswith("#") or (folder / value).exists(), value
    assert checked > 40


def test_pages_say_their_language_and_link_to_the_other_one(pages: dict[str, Page]) -> None:
    for name in PAGES:
        for language, other in (LANGUAGES, LANGUAGES[::-1]):
            page = pages[f"{name}.{language}"]
            assert ("html", "lang", language) in page.attributes
            assert ("a", "data-language", other) in page.attributes
            assert ("a", "href", f"{name}.{other}.html") in page.attributes
    assert "localStorage" in pages["index"].source


def test_both_languages_show_the_same_things(pages: dict[str, Page]) -> None:
    for name in PAGES:
        chinese, english = pages[f"{name}.zh-CN"], pages[f"{name}.en"]
        assert chinese.tags == english.tags
        assert not re.search(r"[\u4e00-\u9fff]{2}", re.sub("|".join(_names()), "", english.text.replace("中文", "")))
        for word in ("Not measured", "Too few", "On target", "Data cut", "Reliable"):
            assert word not in chinese.text


def _names() -> list[str]:
    return [re.escape(agent[1]) for agent in dataset.tables()["pub_kpi.agent"]]


def test_every_page_names_its_publication_and_is_marked_demo(pages: dict[str, Page]) -> None:
    for name in PAGES:
        english, chinese = pages[f"{name}.en"], pages[f"{name}.zh-CN"]
        for words in ("2 Nov 2026 – 21 Nov 2026", "24 Nov 2026, 23:00 UTC", "#124", "#7", "3 of 4 passed"):
            assert words in english.text
        for words in ("2026年11月2日 – 2026年11月21日", "3/4 通过", "演示周期"):
            assert words in chinese.text
        assert ("ribbon", "Demonstration period · sample data, not a basis for pay") in english.texts
        assert ("banner", "Rosters arrived late: attendance of Billing is as of 20 November.") in english.texts


def test_a_real_period_carries_no_demo_mark(owner: psycopg.Connection[Any], tmp_path: Path) -> None:
    owner.execute("update pub_operations.publication set period_mode = 'real', banner_zh = null, banner_en = null")
    owner.execute("update pub_appraisal.score set period_mode = 'real'")
    try:
        render_site(fetch_with(owner), tmp_path)
    finally:
        owner.rollback()
    for path in tmp_path.glob("*_*.html"):
        page = Page(path)
        assert not {"ribbon", "demo", "banner"} & {name for name, _ in page.texts}
        assert "DEMO" not in page.text and "演示" not in page.text


def test_text_from_the_sources_is_never_markup(pages: dict[str, Page]) -> None:
    overview, quality = pages["team_overview.en"], pages["data_quality.en"]
    assert overview.source.count("<script") == 1 and "<script>alert" not in overview.source
    assert dataset.NASTY_NAME in overview.text
    assert "<b>HR</b> —" in quality.text and "97 h <stale>" in quality.text
    assert quality.tags["stale"] == 0


def test_no_value_says_why_and_differs_from_zero(pages: dict[str, Page]) -> None:
    page = pages["team_overview.en"]
    header = next(row for row in page.rows if row[0] == "Agent")
    exam, csat = header.index("Exam score"), header.index("Satisfaction rate Voice")
    attendance, survey = header.index("Attendance rate"), header.index("Survey response rate Voice")
    assert page.row("刘洋")[exam] == "Exempt"
    assert page.row("李娜")[csat] == "Too few n 3 under 10"
    assert page.row("Maximilian")[csat] == "No cases n 0"
    assert page.row("吴昊")[attendance] == "Source missing"
    assert page.row("周婷")[survey] == "Not measured"
    assert page.row("<script>")[survey] == "No value", "a NULL without a reason must be seen"
    zero = page.row("陈静 Billing")[exam]
    assert zero.startswith("0.0")
    looks = {text: name for name, text in page.texts if "missing" in name or text == "0.0"}
    assert looks["Not measured"] == "missing unknown" and looks["0.0"] == "value"
    assert looks["Source missing"] == looks["No value"] == "missing bad"


def test_a_column_without_any_value_moves_below_the_table(pages: dict[str, Page]) -> None:
    page = pages["team_overview.en"]
    assert "First response time Chat" not in next(row for row in page.rows if row[0] == "Agent")
    assert ("missing unknown", "First response time · Chat: Not measured") in page.texts


def test_agents_of_the_same_name_keep_their_own_rows(pages: dict[str, Page]) -> None:
    measured = [row for row in pages["team_overview.zh-CN"].rows if len(row) == 11 and row[1].isdigit()]
    assert len(measured) == 12
    assert {row[0] for row in measured if row[0].startswith("陈静")} == {"陈静 综合组", "陈静 账单组"}


def test_targets_are_judged_with_the_interval_in_mind(pages: dict[str, Page]) -> None:
    page = pages["team_overview.en"]
    level, abandoned, handled = (
        page.tile("Service level"),
        page.tile("Abandonment rate"),
        page.tile("Average handle time"),
    )
    assert re.findall(r"</i>([^<]+)</span></span>", level) == ["On target", "On target"]
    # 4.4 % lies below 5 %, but its interval 3.1-5.8 % holds 5 %; 8.5 % with 5.8-11.2 % does not.
    assert re.findall(r"</i>([^<]+)</span></span>", abandoned) == ["Too close to call", "Off target"]
    assert "Target ≥ 80%" in level and "Target ≤ 5%" in abandoned
    # 4:47 with 4:35 to 4:59 lies between both limits, 8:33 of the chats far beyond.
    assert re.findall(r"</i>([^<]+)</span></span>", handled) == ["On target", "Off target"]
    assert "Target 4 min – 6 min" in handled
    [row] = [row for row in pages["operations.en"].rows if "4 min – 6 min" in row]
    assert row[:3] == ["VIP", "Average handle time", "Voice"]


@pytest.mark.parametrize(
    ("direction", "targets", "value", "half", "said"),
    [
        ("band", [240, 360], 300, 10, "met"), ("band", [240, 360], 240, None, "met"),
        ("band", [240, 360], 300, 70, "unclear"), ("band", [240, 360], 235, 10, "unclear"),
        ("band", [240, 360], 355, 10, "unclear"), ("band", [240, 360], 200, 10, "missed"),
        ("band", [240, 360], 361, None, "missed"), ("band", [300], 300, 10, None), ("higher", [240, 360], 300, 1, None),
        ("higher", [0.8], 0.8, None, "met"), ("lower", [0.8], 0.8, None, "met"), ("lower", [0.8], 0.9, 0.05, "missed"),
        (None, [0.8], 0.9, None, None), ("higher", [], 0.9, None, None), ("higher", [0.8], None, None, None),
    ],
)  # fmt: skip
def test_a_verdict_needs_its_targets(
    direction: str | None, targets: list[float], value: float | None, half: float | None, said: str | None
) -> None:
    view = View("en", load_labels(), ())
    low, high = (None, None) if value is None or half is None else (value - half, value + half)
    found = view._verdict(value, low, high, targets, direction)
    assert found == (None if said is None else view.labels.code("verdict", said))


def test_ids_break_between_their_words(pages: dict[str, Page]) -> None:
    page = pages["data_quality.en"]
    assert "band_<wbr>qa_<wbr>listening_<wbr>score" in page.source
    assert any("band_qa_listening_score" in row for row in page.rows)


def test_disputes_are_shown_by_team_and_by_rater(pages: dict[str, Page]) -> None:
    rows = pages["reliability.en"].rows
    assert [row for row in rows if row[0].startswith("2026-1") and len(row) == 9] == [
        ["2026-11-demo", "Billing", "2", "0", "0.0%", "0", "0", "0", "—"],
        ["2026-11-demo", "General", "8", "2", "25.0%", "3", "2", "1", "50.0%"],
        ["2026-10-demo", "No team", "1", "1", "100.0%", "1", "1", "0", "0.0%"],
    ]
    # Who had most overturned stands first.
    assert [row for row in rows if len(row) == 5 and row[1].isdigit() and row[3].endswith("%")] == [
        ["王磊", "2", "2", "100.0%", "4.0"], ["李娜", "4", "1", "25.0%", "2.5"],
    ]  # fmt: skip
    assert {"各班组的申诉率", "各评分者的改判率"} <= {text for _, text in pages["reliability.zh-CN"].texts}


def test_every_number_comes_with_n_and_few_cases_are_flagged(pages: dict[str, Page]) -> None:
    page = pages["team_overview.en"]
    assert ">n 878<" in page.tile("Service level") and "80.7% – 85.6%" in page.tile("Service level")
    column = next(row for row in page.rows if row[0] == "Agent").index("Satisfaction rate Voice")
    assert page.row("王磊")[column].startswith("90.0%") and "n 8 under 10" in page.row("王磊")[column]
    assert ("value below", "90.0%") in page.texts


def test_formulas_and_questions_stand_behind_the_info_buttons(pages: dict[str, Page]) -> None:
    chinese = pages["team_overview.zh-CN"].text
    assert "门槛内接起 /（接起 + 5 秒以上放弃）" in chinese and "谁需要帮助？数字可靠吗？" in chinese
    page = pages["team_overview.en"]
    targets = [value for tag, name, value in page.attributes if name == "popovertarget"]
    identifiers = [value for _, name, value in page.attributes if name == "id"]
    assert len(targets) == 40 and set(targets) <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))


def test_the_five_states_of_reliability_are_told_apart(pages: dict[str, Page]) -> None:
    page = pages["team_overview.en"]
    shown = {text: name for name, text in page.texts if name.startswith("badge")}
    labels = load_labels().enumerations["reliability"].values()
    assert {label.en for label in labels} <= set(shown)
    assert "Unreliable" in page.tile("QA listening score"), "the least trusted cohort speaks for the site"
    # Cohorts differ, so cells carry their own mark instead of the column.
    marks = re.findall(r'aria-label="Reliability: ([^"]+)"', page.source)
    assert Counter(marks)["Weak"] == 2 and Counter(marks)["Not evaluated"] == 2


def test_scores_open_into_their_components(pages: dict[str, Page]) -> None:
    source = pages["team_overview.en"].source
    assert source.count("<details><summary>How the score came about") == 12
    scores = {row[0]: row for row in pages["team_overview.en"].rows if len(row) == 11 and not row[1].isdigit()}
    assert scores["李娜"][1].startswith("85.07") and scores["李娜"][2] == "A"
    after = source.partition("85.07")[2]
    nested = after[after.index("<details>") : after.index("</details>")]
    points = re.findall(r'<td class="end" data-sort="([\d.]+)">[\d.]+</td>\s*<td class="start"', nested)
    assert round(sum(map(float, points)), 2) == 85.07
    assert "weak, so reduced" in nested and "Agent</th>" not in nested
    withheld = [row for row in scores.values() if row[1] == "Withheld"]
    assert [row[0] for row in withheld] == ["吴昊"] and withheld[0][2] == "—"
    # Why there is no score stands beside it; who has one needs no such sentence.
    assert withheld[0][4] == "a metric was not evaluated" and scores["李娜"][4] in ("", "—")


def test_health_tells_what_does_not_add_up_and_who_fixes_it(pages: dict[str, Page]) -> None:
    page = pages["data_quality.en"]
    assert "Loads that do not add up: 1, off by 1" in page.text
    assert "3 passed, 2 failed (1 critical), 1 not evaluated" in page.text
    loads = {row[1]: row[2] for row in page.rows if len(row) == 9 and row[1] not in ("Critical", "Warning", "Info")}
    assert loads["qa_review"] == "✕ Failed" and loads["queue_log"] == "! Needs attention" and loads["cdr"] == "✓ OK"
    checks = [row for row in page.rows if len(row) == 9 and row[1] in ("Critical", "Warning", "Info")]
    assert [row[0].split(" ", 1)[1] for row in checks] == [
        "Failed",
        "Needs attention",
        "Not evaluated",
        "OK",
        "OK",
        "OK",
    ]
    assert checks[0][8] == "HR" and checks[1][8] == "QA lead"
    assert [row[5] for row in checks] == ["3", "3", "0", "0", "0", "0"]
    assert "3/4" in pages["data_quality.zh-CN"].text


def test_an_empty_warehouse_is_not_a_healthy_one(owner: psycopg.Connection[Any], tmp_path: Path) -> None:
    for table in ("load_status", "quality_result", "contradiction"):
        owner.execute(f"delete from pub_operations.{table}")  # type: ignore[call-overload]
    owner.execute("delete from pub_kpi.metric_value where period_kind = 'day' or unit_kind = 'queue'")
    owner.execute("delete from pub_appraisal.score")
    try:
        render_site(fetch_with(owner), tmp_path)
        owner.execute("delete from pub_operations.publication")
        with pytest.raises(SiteError, match="nothing is published yet"):
            render_site(fetch_with(owner), tmp_path)
    finally:
        owner.rollback()
    page = Page(tmp_path / "team_overview.en.html")
    strip = [text for name, text in page.texts if name.startswith("badge")]
    assert strip.count("Not evaluated") >= 2
    assert sum("Empty does not mean fine" in text for _, text in page.texts) == 7  # 4 trends, 2 queue charts, scores


def test_a_query_without_its_column_names_the_card(reader: psycopg.Connection[Any], tmp_path: Path) -> None:
    real = fetch_with(reader)

    def fetch(sql: str) -> tuple[Any, Any]:
        columns, rows = real(sql)
        return [column if column != "null_reason" else "reason" for column in columns], rows

    with pytest.raises(SpecError, match=r"card 'headline'.*role null_reason wants 'null_reason'"):
        render_site(fetch, tmp_path)


def test_the_index_links_every_dashboard_and_no_pay() -> None:
    links = index_links(load_site(), "en")
    assert [link.key for link in links] == PAGES[1:]
    assert "Is service on target as a whole, and how sure is each answer?" in links[0].questions
    statements = "".join(path.read_text(encoding="utf-8") for path in DASHBOARDS.rglob("*.sql"))
    assert "payroll" not in statements and "fen" not in re.findall(r"[a-z]+", statements)


def test_colours_have_enough_contrast() -> None:
    style = (DASHBOARDS.parent / "templates/style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", style))
    pairs = [(ink, paper) for ink in ("ink", "ink-2", "ink-3", "ink-blue") for paper in ("card", "paper")]
    pairs += [(tone, f"{tone}-bg") for tone in ("good", "warn", "bad", "unknown")] + [("ink-2", "muted-bg")]
    for ink, paper in pairs:
        assert _contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("KEFU_REQUIRE_ALL") == "1":
            pytest.fail("KEFU_REQUIRE_ALL=1, but no Chromium is installed")
        pytest.skip("no Chromium is installed, so pages are not drawn")
    profile = tmp_path_factory.mktemp("profile")

    def run(page: Path, *options: str) -> str:
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=4000"]
        command += [f"--user-data-dir={profile}", *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    yield run


MEASURE = """<script>addEventListener("load", function () {
  %s
  parent.postMessage(location.pathname.split("/").pop() + " " + innerWidth + " " +
    document.documentElement.scrollWidth + " " +
    document.querySelectorAll(".measures tbody tr:not([hidden])").length, "*");
});</script></body>"""

CHOOSE_VIP = """var team = document.querySelector("[data-filter=team]");
  if (team) { team.value = "vip"; team.dispatchEvent(new Event("change")); }"""

COLLECT = """<!doctype html><body><script>
addEventListener("message", function (event) { document.title += event.data + ";"; });</script>%s</body>"""


def test_nothing_overflows_at_a_desk_or_on_a_phone_and_filters_work(browser: Any, folder: Path, tmp_path: Path) -> None:
    frames = []
    for page in PAGES:
        for language in LANGUAGES:
            for width in (1440, 390):
                name = f"{page}.{language}.{width}.html"
                text = (folder / f"{page}.{language}.html").read_text(encoding="utf-8")
                acted = text.replace("</body>", MEASURE % (CHOOSE_VIP if width == 390 else ""))
                (tmp_path / name).write_text(acted, encoding="utf-8")
                frames.append(f'<iframe src="{name}" style="width:{width}px;height:900px;border:0"></iframe>')
    (tmp_path / "all.html").write_text(COLLECT % "".join(frames), encoding="utf-8")
    title = re.search("<title>([^<]*)", browser(tmp_path / "all.html", "--dump-dom"))
    assert title is not None
    reports = [report.split(" ") for report in title[1].strip(";").split(";")]
    assert len(reports) == 2 * 2 * len(PAGES)
    for name, inner, scroll, _ in reports:
        assert int(scroll) <= int(inner) and name.split(".")[-2] == inner, f"{name}: {scroll} px wide in {inner} px"
    rows = {name: int(count) for name, _, _, count in reports}
    assert rows["team_overview.en.1440.html"] == 7 + 12
    assert rows["team_overview.en.390.html"] == 7 + 2, "the team filter leaves the two agents of VIP"


def test_a_browser_draws_the_pages(browser: Any, folder: Path, tmp_path: Path) -> None:
    browser(folder / "team_overview.zh-CN.html", f"--screenshot={tmp_path / 'desk.png'}", "--window-size=1440,2600")
    picture = (tmp_path / "desk.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 150_000, "a page with text and charts is no flat picture"


def test_a_new_version_of_a_metric_repeats_no_row(pages: dict[str, Page]) -> None:
    """Whatever is named by its metric alone is named by the newest version, and stands there once."""
    talks = [row for row in pages["operations.en"].rows if "5 Oct 2026" in " ".join(row)]
    assert len(talks) == 1, talks
