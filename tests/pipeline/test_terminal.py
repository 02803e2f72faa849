"""What commands print: a line stays a line, however narrow the terminal or log that it goes to."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from kefu.settings import PROJECT

MODULES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for path in sorted(Path(PROJECT, "kefu").rglob("*.py"))
    if "= Console(" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_a_line_is_left_to_the_terminal_to_wrap(module: str) -> None:
    console = importlib.import_module(module).console
    with console.capture() as shown:
        console.print("loaded " + "of a long name " * 20)
    assert shown.get().count("\n") == 1
