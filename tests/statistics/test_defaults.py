from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from kefu.catalogue.defaults import Defaults, Rating, Rho, load_defaults

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "config" / "defaults.yml"
SPECIFICATION = PROJECT / "../shared/domain/reliability.md"


def test_every_number_is_explained() -> None:
    explained = 0
    for line in FILE.read_text(encoding="utf-8").splitlines():
        setting, _, comment = line.partition("#")
        if re.search(r"\d", setting) and not setting.startswith(("version:", "valid_from:")):
            assert len(comment.split()) >= 3, f"{line!r} has a number without an explanation"
            explained += 1
    assert explained > 80


def _missing(expected: Mapping[str, Any], found: Mapping[str, Any], path: str = "") -> list[str]:
    problems = []
    for key, value in expected.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            problems += _missing(value, found[key], f"{path}{key}.")
        elif found.get(key) != value:
            problems.append(f"{path}{key}: {found.get(key)} instead of {value}")
    return problems


def test_file_holds_every_default_of_the_specification() -> None:
    if not SPECIFICATION.exists():
        pytest.skip(f"{SPECIFICATION} is not on this machine")
    section = SPECIFICATION.read_text(encoding="utf-8").split("## 11.")[1]
    expected = yaml.safe_load(section.split("```yaml")[1].split("```")[0])
    assert len(expected) == 14
    # What measurement showed to be better, with the reason in docs/decisions.md.
    departures = ["decline.base_days: 120 instead of 60"]
    assert _missing(expected, yaml.safe_load(FILE.read_text(encoding="utf-8"))) == departures


def _leaves(model: type[BaseModel], way: tuple[str, ...] = ()) -> Iterator[tuple[type[BaseModel], tuple[str, ...]]]:
    """Every number with the section it stands in and its way through the file; where there is one choice only, none."""
    for name, field in model.model_fields.items():
        inner = [part for part in (field.annotation, *get_args(field.annotation)) if isinstance(part, type)]
        sections = [part for part in inner if issubclass(part, BaseModel)]
        if sections:
            yield from _leaves(sections[0], (*way, name))
        elif way and not (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1):
            yield model, (*way, field.alias or name)


def _is_read(section: type[BaseModel], way: tuple[str, ...], program: str, database: str) -> bool:
    """Whether SQL names its way, or the program takes it from something that is its section."""
    *_, of, name = way
    if ", ".join(way) in database or ", ".join(f"'{part}'" for part in way) in database:
        return True
    taken = "\n".join(line for line in program.splitlines() if f"defaults.{of}" in line)
    holders = {of, *re.findall(rf"(\w+): {section.__name__}\b", program), *re.findall(r"(\w+)(?:, | = )", taken)}
    said = rf"\b(?:{'|'.join(holders)})"
    return bool(re.search(rf"{said}(?:\[\w+\])?\.{name}_?\b|getattr\([\w.]*{said}, ", program))


def test_every_default_is_read_by_somebody() -> None:
    program = "\n".join(
        path.read_text("utf-8") for path in (PROJECT / "kefu").rglob("*.py") if path.name != "defaults.py"
    )
    folders = (PROJECT / "dbt_project", PROJECT / "kefu" / "warehouse" / "migrations")
    database = "\n".join(path.read_text("utf-8") for folder in folders for path in folder.rglob("*.sql"))
    leaves = list(_leaves(Defaults))
    assert len(leaves) > 150
    assert [".".join(way) for section, way in leaves if not _is_read(section, way, program, database)] == []
    assert not _is_read(Rating, ("rating", "nobody_asks"), program, database)
    assert not _is_read(Rho, ("rho", "window_h"), program, database)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "min_own_data: 60",
            "min_own_data: 160",
            "weights.min_own_data: found 160; Input should be less than or equal to",
        ),
        ("z: 1.96", "zz: 1.96", "interval.zz: found 1.96; Extra inputs are not permitted"),
        ("alpha: [0.50, 0.80]", "alpha: [0.80, 0.50]", r"rho.alpha: found .* first number to be smaller"),
        ("zero_below: 0.30", "zero_below: 0.90", "g: found .* must rise"),
        ("low_of: [3, 5]", "low_of: [6, 5]", "decline.low_of: found .* at most 5 of 5"),
        ("B: 70", "B: 85", "score: found .* limits that differ"),
        (", 0: 0.5}", "}", "piece: found .* entry for score 0"),
        ("[85, 1.0]", "[85, 0.5]", r"coef: found .* \(85, 0.5\) follows \(70, 0.6\)"),
        ("[95, 1.2]", "[95, 1.6]", "coefficient 1.6 of the last knot is above the cap 1.5"),
        ("timing: announced", "timing: later", "g.timing: found 'later'"),
        ("scores: 36", "scores: 23", "retention.scores: found 23; .*expected 24 at least: wages are proved by it"),
        ("row_evidence: 24", "row_evidence: 12", "retention.row_evidence: found 12; .*expected 24 at least"),
        ("cut: T+3", "cut: 3", "period.cut: found 3"),
        ("rating:", "rating: [", "not readable as YAML"),
    ],
)
def test_wrong_file_names_the_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    broken = tmp_path / "defaults.yml"
    broken.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        load_defaults(broken)
    assert str(broken) in str(caught.value)


def test_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "defaults.yml"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="found None"):
        load_defaults(empty)
