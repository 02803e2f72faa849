"""Every metric of the specification is declared, measured, tested and shown, and docs/coverage.md says where."""

from __future__ import annotations

from pathlib import Path

from kefu.catalogue.files import load_catalogue
from tests.catalogue.coverage import SPECIFIED, TABLE, missing, table


def test_every_metric_of_the_specification_has_all_it_needs(project: Path) -> None:
    assert sum(len(names) for names in SPECIFIED["sections"].values()) == 135
    assert missing(load_catalogue(project / "config")) == []


def test_the_table_of_coverage_is_fresh(project: Path) -> None:
    fresh = TABLE.read_text(encoding="utf-8") == table(load_catalogue(project / "config"))
    assert fresh, "run `python tests/catalogue/coverage.py`"


def test_a_metric_that_lacks_its_entry_is_found(project: Path) -> None:
    catalogue = load_catalogue(project / "config")
    del catalogue.objects["metric"]["asa"]
    assert "asa: no entry in config/metrics/" in missing(catalogue)
