"""Models of what speaks against ratings and numbers: rules of rows and of agents, and lexicons (reliability.md 2)."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kefu.catalogue.models import DatedText, Declared, Id, Text, Versioned

# Every rule that models and statistics apply: each needs its words.
RULE_IDS = (
    *(f"V{number}" for number in range(1, 12)),
    *(f"I{number}" for number in range(1, 8)),
    *(f"G{number}" for number in range(1, 9)),
)
RuleId = Annotated[str, Field(pattern=r"^(V([1-9]|1[01])|I[1-7]|G[1-8])$")]


class IntegrityRule(Versioned):
    """A rule of reliability.md 2: what people read about it, who looks into a hit, and what it speaks against.

    A rule of rows (V) has a severity; one of agents (I, G) names the metrics it is tested on, and further ones that the
    same conduct moves: a finding speaks against them all.
    """

    rule_id: RuleId
    name: Text
    text: DatedText
    owner_role: Literal["hr", "team_lead", "quality_lead", "data_engineer"]
    severity: Literal["exclude", "mark", "replace_value"] | None = None
    needs: Text
    metric_ids: tuple[Id, ...] = ()
    also_metric_ids: tuple[Id, ...] = ()
    is_signal_only: bool = False

    @model_validator(mode="after")
    def _fits_its_level(self) -> Self:
        if self.rule_id.startswith("V") != (self.severity is not None):
            raise ValueError(f"{self.rule_id}: rules of rows, and only they, have a severity")
        if self.rule_id.startswith("V") == bool(self.metric_ids):
            raise ValueError(f"{self.rule_id}: rules of agents, and only they, name metric_ids")
        named = (*self.metric_ids, *self.also_metric_ids)
        if len(set(named)) < len(named) or (self.also_metric_ids and not self.metric_ids):
            raise ValueError(f"{self.rule_id}: also_metric_ids names metrics besides those of metric_ids, each once")
        return self


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
_SENTENCE = re.compile(r"[。！!？?；;\n]+|\.(?:\s|$)")
_LETTER_OR_DIGIT = re.compile(r"\w")


class Hit(Declared):
    """What a lexicon found in a text: how many sentences, and where in the first of them the words stand."""

    count: int
    sentence: str
    start: int
    end: int


class Lexicon(Versioned):
    """Words that make a feature of a text. A sentence hits when one of `rules` has a word of each of its classes there.

    `unless` lists words that take the hit away from their sentence: negations, and uses that mean something else.

    With `whole_text` a text is one sentence, and hits only when it says nothing else: every letter and digit of it
    belongs to a word of one of the classes, also of those that no rule names.
    """

    lexicon_id: Id
    feature: Id
    name: Text
    whole_text: bool = False
    classes: dict[Id, tuple[Pattern, ...]] = Field(min_length=1)
    rules: tuple[tuple[Id, ...], ...] = Field(min_length=1)
    unless: tuple[Pattern, ...] = ()

    @model_validator(mode="after")
    def _classes_exist(self) -> Self:
        if unknown := sorted({name for rule in self.rules for name in rule} - set(self.classes)):
            raise ValueError(f"rules name the classes {unknown}, which are not declared")
        return self

    @cached_property
    def _compiled(self) -> dict[str, re.Pattern[str]]:
        return {name: re.compile("|".join(f"(?:{word})" for word in words)) for name, words in self.classes.items()}

    @cached_property
    def _any_word(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{word})" for words in self.classes.values() for word in words))

    @cached_property
    def _taken_away(self) -> re.Pattern[str] | None:
        return re.compile("|".join(f"(?:{word})" for word in self.unless)) if self.unless else None

    def find(self, text: str) -> Hit | None:
        """Returns what the lexicon finds in a text, None when nothing.

        Width, case and spaces do not matter: the text is read in the form NFKC, in lower case.
        """
        found: list[tuple[str, int, int]] = []
        normal = unicodedata.normalize("NFKC", text).lower()
        for sentence in [normal] if self.whole_text else _SENTENCE.split(normal):
            if not sentence or (self._taken_away and self._taken_away.search(sentence)):
                continue
            if self.whole_text and _LETTER_OR_DIGIT.search(self._any_word.sub("", sentence)):
                continue
            places = {name: match for name, pattern in self._compiled.items() if (match := pattern.search(sentence))}
            for rule in self.rules:
                if all(name in places for name in rule):
                    spans = [places[name].span() for name in rule]
                    found.append((sentence, min(start for start, _ in spans), max(end for _, end in spans)))
                    break
        if not found:
            return None
        sentence, start, end = found[0]
        return Hit(count=len(found), sentence=sentence, start=start, end=end)
