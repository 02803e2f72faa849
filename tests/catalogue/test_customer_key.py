"""`kefu config customer-key`: the key by which a connector would know the customer, and no number anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.personal import customer_key
from kefu.cli import app
from kefu.settings import Settings
from tests.e2e.support import settings_in


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = settings_in(tmp_path)
    monkeypatch.setattr("kefu.cli.settings", lambda: found)
    return found


@pytest.mark.parametrize(
    ("typed", "normalised"),
    [
        ("0171 12345678", "+4917112345678"),
        ("+49 171 12345678", "+4917112345678"),
        (" Tess@Example.org", "tess@example.org"),
    ],
)
def test_the_key_is_the_one_of_the_connectors(known: Settings, typed: str, normalised: str) -> None:
    said = CliRunner().invoke(app, ["config", "customer-key", "pbx"], input=f"{typed}\n", catch_exceptions=False).output
    assert said.splitlines()[-1] == customer_key(known.kefu_customer_secret.get_secret_value().encode(), normalised)
    assert normalised not in said and typed.strip() not in said


@pytest.mark.parametrize(("source", "typed"), [("pbx", "1001"), ("pbx", "tess@"), ("pbx2", "0171 12345678")])
def test_what_is_no_customer_has_no_key(known: Settings, source: str, typed: str) -> None:
    done = CliRunner().invoke(app, ["config", "customer-key", source], input=f"{typed}\n")
    assert done.exit_code == 1 and "Remedy" in str(done.exception) and typed not in str(done.exception)
