"""Everything under version control that is generated from `config/`."""

from __future__ import annotations

import json
from pathlib import Path

from expectations.suites import Suite
from kefu.catalogue.evidence_sql import generate_evidence
from kefu.catalogue.files import Catalogue, json_schemas
from kefu.catalogue.measure_sql import generate
from kefu.settings import PROJECT


def generated_files(catalogue: Catalogue) -> dict[Path, str]:
    """Returns the text of every generated file by its path."""
    files = {PROJECT / path: text for path, text in (generate(catalogue) | generate_evidence(catalogue)).items()}
    schemas = json_schemas() | {"suite.schema.json": json.dumps(Suite.model_json_schema(), indent=2) + "\n"}
    return files | {PROJECT / "config" / "schema" / name: text for name, text in schemas.items()}
