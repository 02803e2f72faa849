"""`kefu template`: the empty sheets that people fill."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.tabular import SYSTEM
from kefu.catalogue.files import load_catalogue
from kefu.cli import app
from kefu.settings import PROJECT

INBOX = load_catalogue(PROJECT / "config").sources["inbox"]


def template(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["template", *arguments], terminal_width=200)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_there_is_a_sheet_for_every_kind_the_inbox_reads(tmp_path: Path, suffix: str) -> None:
    code, _ = template("--folder", str(tmp_path), *(["--csv"] if suffix == "csv" else []))
    assert code == 0
    assert len(INBOX.entities) == 36
    assert {path.name for path in tmp_path.iterdir()} == {f"{kind}.{suffix}" for kind in INBOX.entities}
    assert set(INBOX.entities) == set(SYSTEM.entities) == set(INBOX.settings["entities"])


def test_the_inbox_takes_each_template_for_its_own_kind(tmp_path: Path) -> None:
    names = [f"{kind}-2026-11.csv" for kind in INBOX.entities] + [f"{kind}.csv" for kind in INBOX.entities]
    patterns = {kind: origin["files"] for kind, origin in INBOX.settings["entities"].items()}
    taken = {name: next(kind for kind, pattern in patterns.items() if Path(name).match(pattern)) for name in names}
    assert taken == {name: name.removesuffix(".csv").removesuffix("-2026-11") for name in names}


def test_a_sheet_that_may_be_filled_is_never_overwritten(tmp_path: Path) -> None:
    assert template("exam", "--folder", str(tmp_path))[0] == 0
    filled = tmp_path / "exam.xlsx"
    before = filled.read_bytes()
    code, said = template("exam", "--folder", str(tmp_path))
    assert (code, "is there already and may be filled" in said) == (1, True)
    assert filled.read_bytes() == before


def test_an_unknown_kind_names_those_there_are(tmp_path: Path) -> None:
    code, said = template("salary", "--folder", str(tmp_path))
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert "no entity 'salary': known are employee, " in said
