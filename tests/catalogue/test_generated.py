"""What is generated from `config/` is fresh, and its JSON Schemas accept the shipped files and refuse wrong ones."""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kefu.catalogue.files import KINDS, load_catalogue
from kefu.catalogue.generated import generated_files

SUITES = "suite.schema.json"


def as_json(path: Path) -> Any:
    """Returns the content as an editor's schema check sees it: dates are texts."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def shipped(project: Path) -> list[tuple[str, Path]]:
    found = [(kind.schema_file, path) for kind in KINDS for path in sorted((project / "config").glob(kind.pattern))]
    return found + [(SUITES, path) for path in sorted((project / "expectations/suites").glob("*.yml"))]


@pytest.fixture(scope="module")
def schemas(project: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in (project / "config/schema").glob("*.schema.json")}


def test_every_generated_file_is_fresh(project: Path) -> None:
    files = generated_files(load_catalogue(project / "config"))
    # Per fact, and measures of each other kind; parameters; schemas; descriptions of what is generated.
    assert Counter(path.suffix for path in files) == {".sql": 55, ".json": 23, ".yml": 2}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `kefu config generate`"


def test_no_measure_model_is_left_from_a_fact_that_is_gone(project: Path) -> None:
    files = set(generated_files(load_catalogue(project / "config")))
    models = set((project / "dbt_project/models/kpi").glob("measure_*.sql"))
    assert models == {path for path in files if path.name.startswith("measure_")}


def test_a_changed_measure_makes_its_model_stale(project: Path) -> None:
    catalogue = load_catalogue(project / "config")
    before = generated_files(catalogue)
    measures = catalogue.objects["measures"]["time"]
    body = measures.model_dump(mode="json")
    body["measures"]["acw_seconds"]["filter"] = "state = 'break'"
    catalogue.objects["measures"]["time"] = type(measures).model_validate(body)
    stale = [path.name for path, text in generated_files(catalogue).items() if before[path] != text]
    assert stale == ["measure_agent_state.sql"]


def test_every_shipped_file_satisfies_its_schema(project: Path, schemas: dict[str, Any]) -> None:
    files = shipped(project)
    assert len(files) == 50
    for name, path in files:
        jsonschema.Draft202012Validator.check_schema(schemas[name])
        jsonschema.validate(as_json(path), schemas[name])


def test_every_shipped_file_names_the_schema_that_checks_it(project: Path) -> None:
    named = 0
    for name, path in shipped(project):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        if match := re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first):
            assert (path.parent / match[1]).resolve() == project / "config/schema" / name, path
            named += 1
    assert named >= 46


def mutations(body: Any) -> list[tuple[str, Any]]:
    """Returns the body with one thing wrong at a time: an unknown key, a missing key, another type."""
    item = body[0] if isinstance(body, list) else body
    found = []
    for what in ("unknown", "missing", "wrong"):
        wrong = deepcopy(body)
        target = wrong[0] if isinstance(body, list) else wrong
        if what == "unknown":
            target["surprise"] = 1
        elif what == "missing":
            del target[next(iter(item))]
        else:
            target["version" if "version" in item else "duty"] = "one"
        found.append((what, wrong))
    return found


def test_every_schema_refuses_planted_errors(project: Path, schemas: dict[str, Any]) -> None:
    accepted = []
    planted = 0
    for name, path in shipped(project):
        for what, wrong in mutations(as_json(path)):
            planted += 1
            try:
                jsonschema.validate(wrong, schemas[name])
                accepted.append((path.name, what))
            except jsonschema.ValidationError:
                pass
    assert planted == 50 * 3
    assert accepted == []
