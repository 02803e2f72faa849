"""What changed between two versions of a plan, in words."""

from __future__ import annotations

from collections.abc import Iterator

from bi.spec import Language
from kefu.catalogue.files import Catalogue
from kefu.catalogue.plans import Plan, PlanMetric
from kefu.plan.show import rules
from kefu.plan.words import Words


def changes(before: Plan, after: Plan, catalogue: Catalogue, language: Language) -> list[str]:
    """Returns one sentence for everything that differs, metrics first; empty when people are judged in the same way."""
    words = Words(catalogue, language)
    old = {entry.metric_id: entry for entry in before.metrics}
    new = {entry.metric_id: entry for entry in after.metrics}
    found = []
    for name in dict.fromkeys([*new, *old]):
        if name not in old:
            found.append(words.say(f"新增{_metric(words, new[name])}", f"new: {_metric(words, new[name])}"))
        elif name not in new:
            found.append(words.say(f"取消{_metric(words, old[name])}", f"dropped: {_metric(words, old[name])}"))
        else:
            said = list(_entry_changes(old[name], new[name], before, after, words))
            found += [f"{words.metric(name)}{words.say('：', ': ')}{sentence}" for sentence in said]
    if before.name != after.name:
        found.append(_moved(words, words.say("名称", "name"), words.text(before.name), words.text(after.name)))
    if before.mode != after.mode:
        found.append(_moved(words, words.say("性质", "kind"), before.mode, after.mode))
    return found + list(_rule_changes(before, after, catalogue, language, words))


def _metric(words: Words, entry: PlanMetric) -> str:
    curve = words.curve(entry.curve, words.catalogue.metrics[entry.metric_id])
    return words.say(
        f"{words.metric(entry.metric_id)}，权重{words.number(entry.weight)}，{curve}",
        f"{words.metric(entry.metric_id)}, weight {words.number(entry.weight)}, {curve}",
    )


def _moved(words: Words, what: str, before: str, after: str) -> str:
    nothing = words.say("无", "nothing")
    return words.say(
        f"{what}由 {before or nothing} 改为 {after or nothing}", f"{what} {before or nothing} → {after or nothing}"
    )


def _entry_changes(old: PlanMetric, new: PlanMetric, before: Plan, after: Plan, words: Words) -> Iterator[str]:
    lines = words.line(before, old), words.line(after, new)
    if old.weight != new.weight:
        moved = _moved(words, words.say("权重", "weight"), lines[0].weight, lines[1].weight)
        yield f"{moved} ({new.weight - old.weight:+f})"
    if old.curve != new.curve:
        yield _moved(words, words.say("得分曲线", "points"), lines[0].curve, lines[1].curve)
    if lines[0].rules != lines[1].rules:
        yield _moved(words, words.say("其他规则", "other rules"), lines[0].rules, lines[1].rules)
    if lines[0].strategic_goal != lines[1].strategic_goal:
        yield _moved(words, words.say("战略目标", "strategic goal"), lines[0].strategic_goal, lines[1].strategic_goal)
    if lines[0].goal != lines[1].goal:
        yield _moved(words, words.say("目的", "purpose"), lines[0].goal, lines[1].goal)


def _rule_changes(before: Plan, after: Plan, catalogue: Catalogue, language: Language, words: Words) -> Iterator[str]:
    old, new = rules(before, catalogue, language), rules(after, catalogue, language)
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            yield words.say(f"新增：{new[name]}", f"new: {new[name]}")
        elif name not in new:
            yield words.say(f"取消：{old[name]}", f"dropped: {old[name]}")
        elif old[name] != new[name]:
            yield words.say(f"{old[name]}，改为 {new[name]}", f"{old[name]} → {new[name]}")
