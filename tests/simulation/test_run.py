"""An operation as files: complete, not written twice, never over something else, and refused in plain words."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kefu.catalogue.files import load_catalogue
from kefu.cli import app
from kefu.simulation.faults import DECLARED
from kefu.simulation.run import SimulationError, simulate, write_operation
from kefu.simulation.scenario import Scenario

TINY = Scenario(seed=3, agents=14, contacts_per_agent_day=1)


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["simulate", *arguments], terminal_width=200)
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    folder = tmp_path_factory.mktemp("operation") / "tiny"
    write_operation(TINY, folder, base=project / "config", is_alone=True)
    return folder


def test_everything_that_was_promised_is_in_the_folder(folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        "asterisk", "asterisk.sqlite3", "config", "live_helper_chat.sqlite3", "papers", "scenario.json", "sheets",
        "truth", "truth.json", "world",
    }  # fmt: skip
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert truth["scenario"]["seed"] == 3
    assert len({row["metric_id"] for row in truth["metric_values"]}) > 100
    assert len({row["fault"] for row in truth["planted"]}) > 5
    assert len(list((folder / "sheets").iterdir())) >= 24


def test_its_configuration_is_valid_and_its_own(folder: Path) -> None:
    catalogue = load_catalogue(folder / "config")
    assert set(catalogue.sources) == {"sim_pbx", "sim_chat", "sim_desk", "sim_sheets"}
    assert list(catalogue.periods) == ["2026_10_simulated"]
    assert catalogue.site.time_zone == "Asia/Shanghai"


def test_a_simulated_month_beside_others_keeps_theirs(folder: Path, project: Path, tmp_path: Path) -> None:
    write_operation(TINY, tmp_path / "beside", base=project / "config")
    own, both = load_catalogue(project / "config"), load_catalogue(tmp_path / "beside" / "config")
    assert set(both.sources) == set(own.sources) | {"sim_pbx", "sim_chat", "sim_desk", "sim_sheets"}
    assert both.periods == own.periods
    assert both.site == own.site


def test_the_same_again_is_not_written_again(folder: Path, project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "config" not in path.parts}
    said: list[str] = []
    again = write_operation(TINY, folder, base=project / "config", is_alone=True, say=said.append)
    assert said == [f"the operation in {folder} is up to date"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.tables["call"].num_rows > 0
    assert "roster" in again.papers


def test_a_follow_up_is_written_with_what_declares_it_and_found_again(
    folder: Path, project: Path, tmp_path: Path
) -> None:
    asked = TINY.model_copy(update={"follow_up": True, "contacts_per_agent_day": 8.0})
    write_operation(asked, tmp_path / "x", base=project / "config", is_alone=True)
    again = write_operation(asked, tmp_path / "x", base=project / "config", is_alone=True)
    assert again.tables["follow_up"].num_rows > 10 and "rating_change" in again.tables
    declared, plain = (load_catalogue(path / "config") for path in (tmp_path / "x", folder))
    instruments = {key: one for key, one in declared.objects["instrument"].items() if "follow_up" in key}
    asked_by_hand = {f"follow_up_{item}" for item in ("ease", "solved", "effort", "again")}
    assert set(declared.objects["instrument"]) - set(plain.objects["instrument"]) == set(instruments)
    bodies = [one.model_dump() for one in instruments.values()]
    assert {body["account"] for body in bodies} == asked_by_hand
    assert {body["best"] for body in bodies} == {"high", "low"} and all(body["product_reasons"] for body in bodies)
    assert [*declared.defaults.review.form_versions] == ["2026"] and not plain.defaults.review.form_versions
    said = {row["instrument"] for row in again.papers["survey_response"].to_pylist()}
    assert asked_by_hand <= said


def test_another_seed_replaces_it(project: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        write_operation(TINY.model_copy(update={"seed": seed}), tmp_path / "x", base=project / "config")
    assert json.loads((tmp_path / "x" / "scenario.json").read_text())["seed"] == 2


def test_a_folder_of_something_else_is_left_alone(project: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear all")
    with pytest.raises(SimulationError, match=r"holds something else and is left alone\. Remedy: name a new folder"):
        write_operation(TINY, tmp_path, base=project / "config")
    assert (tmp_path / "letters.txt").read_text() == "dear all"


def test_a_database_by_variable_gets_the_tables(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SimulationError, match="environment variable SIM_CHAT_URL is not set"):
        write_operation(TINY, tmp_path / "x", base=project / "config", chat_url_env="SIM_CHAT_URL")
    monkeypatch.setenv("SIM_CHAT_URL", f"sqlite:///{tmp_path}/elsewhere.sqlite3")
    write_operation(TINY, tmp_path / "x", base=project / "config", chat_url_env="SIM_CHAT_URL")
    with sqlite3.connect(tmp_path / "elsewhere.sqlite3") as connection:
        assert connection.execute("select count(*) > 0 from lh_chat").fetchone() == (1,)
    assert not (tmp_path / "x" / "live_helper_chat.sqlite3").exists()
    chat = load_catalogue(tmp_path / "x" / "config").sources["sim_chat"]
    assert chat.settings == {"url_env": "SIM_CHAT_URL"}
    with pytest.raises(SimulationError, match="holds rows already"):
        write_operation(TINY, tmp_path / "y", base=project / "config", chat_url_env="SIM_CHAT_URL")


def test_zero_strength_plants_nothing() -> None:
    assert simulate(TINY).planted.num_rows > 5
    quiet = TINY.model_copy(update={"strengths": dict.fromkeys(DECLARED.faults, "zero")})
    assert simulate(quiet).planted.num_rows == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--agents", "3"), "greater than or equal to 6"),
        (("--start", "2026-10-02"), "is not the first day of a month"),
        (("--time-zone", "Mars/Olympus"), "not a time zone"),
        (("--strength", "rating_burst=huge"), "'zero', 'low', 'middle' or 'high'"),
        (("--strength", "rating_burts=low"), "there are no faults ['rating_burts']. Remedy: use some of rating_burst"),
    ],
)
def test_what_cannot_be_simulated_is_said(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, output = command(str(tmp_path / "x"), *arguments)
    assert code == 1
    assert message in output
