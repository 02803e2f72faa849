"""Reading YAML that people write: a key given twice is an error, not silently the last one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice; keep one of them", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Returns the content of a YAML file. Raises yaml.YAMLError with line and column when it is not valid."""
    return parse_yaml(path.read_text(encoding="utf-8"))


def parse_yaml(text: str) -> Any:
    """Returns the content of a YAML text. Raises yaml.YAMLError with line and column when it is not valid."""
    # The C parser is the safe one; only its speed differs from `yaml.safe_load`.
    return yaml.load(text, Loader=_Loader)
