"""The lexicons of config/lexicons against hand-made sentences, and what a lexicon refuses."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from kefu.catalogue.files import load_catalogue
from kefu.catalogue.integrity import Lexicon
from kefu.pipeline.text import masked
from kefu.settings import PROJECT
from kefu.simulation.fault_plan import DECLARED
from kefu.simulation.operation import PHRASES
from kefu.yaml_files import read_yaml

CATALOGUE = load_catalogue(PROJECT / "config")
SAMPLES: dict[str, list[str]] = read_yaml(Path(__file__).with_name("solicitations.yml"))


def lexicon(name: str) -> Lexicon:
    found = CATALOGUE.objects["lexicon"][name]
    assert isinstance(found, Lexicon)
    return found


def test_pleas_are_found_and_neutral_invitations_are_not() -> None:
    begs = lexicon("solicitation").find
    missed = [text for text in SAMPLES["begging"] if not begs(text)]
    wrong = [text for text in SAMPLES["clean"] if begs(text)]
    found = len(SAMPLES["begging"]) - len(missed)
    assert len(SAMPLES["begging"]) >= 30 and len(SAMPLES["clean"]) >= 40
    assert found / len(SAMPLES["begging"]) >= 0.95, missed
    assert found / (found + len(wrong)) >= 0.95, wrong


def test_every_planted_plea_is_found_and_nothing_else_agents_write() -> None:
    begs = lexicon("solicitation").find
    assert [text for texts in DECLARED.phrases["begging"].values() for text in texts if not begs(text)] == []
    usual = [
        text
        for phrases in PHRASES.values()
        for texts in (phrases.agent_greeting, phrases.agent_reply, phrases.agent_more, phrases.agent_closing)
        for text in texts
    ]
    assert len(usual) > 25
    assert [text for text in usual if begs(text)] == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("你们就是骗子，我要投诉", True),
        ("太恶心了，再也不来了", True),
        ("你們態度惡劣，我要投訴", True),
        ("This is a scam, I am furious", True),
        ("I will file a complaint", True),
        ("我没有投诉的意思", False),
        ("不是投诉，只是问一下", False),
        ("还不算太差", False),
        ("服务不差劲", False),
        ("垃圾桶的尺寸是多少", False),
        ("Not terrible, thank you", False),
        ("Nothing to complain about", False),
        ("等了很久，有点慢", False),
        ("好的，谢谢", False),
    ],
)
def test_strong_words_count_unless_negated(text: str, is_found: bool) -> None:
    assert (lexicon("strongly_negative").find(text) is not None) == is_found


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("谢谢", True),
        ("好的，知道了，非常感谢您的耐心解答！", True),
        ("没有其他问题了，辛苦您了，再见[玫瑰]", True),
        ("不用了，謝謝🙏", True),
        ("ＯＫ 谢谢~", True),
        ("No, thanks.", True),
        ("Great, thank you very much for your help!", True),
        ("Alles klar, vielen Dank!", True),
        # A question, a request or an answer stays one, however polite.
        ("谢谢，请问运费谁出", False),
        ("谢谢，那什么时候到货？", False),
        ("谢谢？", False),
        ("好了吗 谢谢", False),
        ("好了没，谢谢", False),
        ("帮忙解决，谢谢", False),
        ("辛苦您帮忙解决", False),
        ("麻烦快一点，谢谢", False),
        ("还不行，谢谢", False),
        ("是的，谢谢", False),
        ("你好，谢谢", False),
        ("人工客服，谢谢", False),
        ("订单号 12345，谢谢", False),
        ("Thanks, but it still does not work", False),
        ("No good, thanks", False),
        ("Danke, aber wo ist meine Lieferung", False),
        # Who agrees may wait for what was promised.
        ("好的。", False),
        ("OK", False),
        ("👍", False),
        ("", False),
    ],
)
def test_a_goodbye_says_nothing_else(text: str, is_found: bool) -> None:
    assert (lexicon("goodbye").find(text) is not None) == is_found


def test_of_what_simulated_visitors_write_only_thanks_are_goodbyes() -> None:
    says_goodbye = lexicon("goodbye").find
    for phrases in PHRASES.values():
        asking = [text for texts in phrases.visitor_opening.values() for text in texts] + phrases.visitor_reply
        assert [text for text in asking if says_goodbye(text)] == []
        assert [text for text in phrases.visitor_thanks if not says_goodbye(text)] == []


def test_width_case_and_place_in_the_text_do_not_matter() -> None:
    begs = lexicon("solicitation").find
    assert begs("ＰＬＥＡＳＥ give me ５ STARS in the survey")
    assert begs("订单已经发出。麻烦给个五星好评。祝您愉快！")
    # A negation takes away its own sentence only.
    assert begs("不用急。麻烦给个五星好评") and not begs("麻烦不用给五星好评")


def test_excerpts_show_the_words_and_no_number_or_address() -> None:
    text = "我的电话是13800138000，邮箱 someone@example.com，麻烦给个五星好评，订单号12345678"
    hit = lexicon("solicitation").find(text)
    assert hit is not None
    excerpt = masked(hit)
    assert "五星" in excerpt and len(excerpt) < 70
    assert not any(character.isdigit() for character in excerpt) and "example" not in excerpt


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rules": [["plea"]]}, "classes .'plea'., which are not declared"),
        ({"classes": {"ask": ["(please"]}}, "no regular expression"),
        ({"unless": [""]}, "at least 1 character"),
    ],
)
def test_a_wrong_lexicon_is_refused(wrong: dict[str, object], message: str) -> None:
    body = {
        "lexicon_id": "x", "version": 1, "valid_from": date(2026, 1, 1), "feature": "x",
        "name": {"zh": "x", "en": "x"}, "classes": {"ask": ["please"]}, "rules": [["ask"]],
    }  # fmt: skip
    assert Lexicon.model_validate(body).find("Please!") is not None
    with pytest.raises(ValidationError, match=message):
        Lexicon.model_validate(body | wrong)
