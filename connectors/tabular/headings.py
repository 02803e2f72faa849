"""Headings that people see in row 1 of a sheet, declared in `headers.yml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kefu.yaml_files import read_yaml


class Heading(BaseModel):
    """Heading of one column in both languages, with the Chinese of the field's description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    zh: str = Field(alias="zh-CN")
    about_zh: str = Field(alias="about-zh-CN")

    @property
    def label(self) -> str:
        """Returns both languages as a template writes them."""
        return f"{self.en} / {self.zh}"


class Title(BaseModel):
    """Name of an entity in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    zh: str = Field(alias="zh-CN")


class Headings(BaseModel):
    """Title and headings of one entity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title
    fields: dict[str, Heading]

    def field_of(self, heading: str) -> str | None:
        """Returns the field that `heading` names, in any letter case and spacing; None if it names none."""
        wanted = _plain(heading)
        for name, declared in self.fields.items():
            if wanted in {_plain(accepted) for accepted in (name, declared.en, declared.zh, declared.label)}:
                return name
        return None


def _plain(heading: str) -> str:
    return "".join(heading.casefold().split())


HEADINGS: dict[str, Headings] = {
    entity: Headings.model_validate(body) for entity, body in read_yaml(Path(__file__).parent / "headers.yml").items()
}
