"""The metric handbook says of every metric, in both languages, what people need to know."""

from __future__ import annotations

from pathlib import Path

import pytest

from bi.spec import Language
from kefu.catalogue.defaults import Interval
from kefu.catalogue.files import load_catalogue
from kefu.catalogue.handbook import chapters, entry


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_metric_is_explained_in_words(project: Path, language: Language) -> None:
    catalogue = load_catalogue(project / "config")
    found = [entry for chapter in chapters(catalogue, language) for entry in chapter.entries]
    assert sorted(one.key for one in found) == sorted(catalogue.metrics)
    for one in found:
        assert one.name and one.question and one.formula and len(one.facts) >= 7
        is_chinese = any("\u4e00" <= letter <= "\u9fff" for letter in one.question)
        assert is_chinese == (language == "zh-CN"), one.key
    assert len({one.name for one in found}) == len(found), "two metrics have one name"


def test_a_slow_metric_says_which_days_a_period_counts(project: Path) -> None:
    catalogue = load_catalogue(project / "config")
    said = {name: dict(entry(catalogue, catalogue.metrics[name], "en").facts) for name in ("fcr_repeat", "aht")}
    assert said["fcr_repeat"]["Days that count in a period"].startswith("Those whose window ends in it")
    assert "Days that count in a period" not in said["aht"]


def test_the_numbers_inside_a_definition_are_shown(project: Path) -> None:
    catalogue = load_catalogue(project / "config")
    facts = dict(entry(catalogue, catalogue.metrics["first_response_time"], "en").facts)
    named = facts["Parameters"].split(", ")
    assert "Limit of a first response (seconds) = 30" in named
    assert "Hours in which replies are timed = the agent's rostered time (roster)" in named
    assert facts["Counted on"] == "Day on which the conversation starts"
    assert facts["Credited to"] == "Team or queue only, never a person"
    assert facts["Target"] == "≥ 80% (2026-01-01)"


@pytest.mark.parametrize(
    ("metric_id", "said"),
    [
        ("csat_rate", "95% Wilson interval, by the number of cases"),
        ("occupancy", "95% interval from how far days differ"),
        ("avg_response_time", "95% interval from how far days differ"),
        ("first_response_p90", "95% interval between the cases of certain ranks"),
        ("conversations_handled", "None: all is counted"),
    ],
)
def test_the_interval_of_a_metric_is_explained(project: Path, metric_id: str, said: str) -> None:
    catalogue = load_catalogue(project / "config")
    assert dict(entry(catalogue, catalogue.metrics[metric_id], "en").facts)["Interval"].startswith(said)
    assert "Interval" not in dict(entry(catalogue, catalogue.metrics["composite_score"], "en").facts)


@pytest.mark.parametrize(("z", "coverage"), [(1.645, "90%"), (1.96, "95%"), (2.576, "99%"), (3, "99.7%")])
def test_an_interval_is_named_by_what_its_width_covers(z: float, coverage: str) -> None:
    assert Interval(z=z).coverage == coverage
