"""Writes the invented sheets of this folder: `python samples/handmade/make_sheets.py [target folder]`.

Who is who comes from `samples/agents.csv` by rule, contacts are chats of `samples/live_helper_chat`; scores, reviewers
and exam results are made up by a seeded generator, so every run gives the same values.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from openpyxl import Workbook

FOLDER = Path(__file__).parent
SAMPLES = FOLDER.parent
ZONE = ZoneInfo("Europe/Berlin")
SINCE = "2026-01-01"
REVIEWERS = ("Q001", "Q002")
FIRST_SCORES = 7
SECOND_SCORES = 3
REVIEW_DAYS = (3, 5, 9, 11, 13, 17, 18, 19, 19, 20)  # of November 2026, one for each review of an agent
CONTACTS_UNTIL = datetime(2026, 11, 21, 22, 40, tzinfo=ZONE)
EXAM = "product knowledge 2026-11"
EXAM_SCORES = {
    "CS1001": 91, "CS1002": 84, "CS1004": 77, "CS1005": 95, "CS1006": 68, "CS1007": 88,
    "CS1008": 81, "CS1009": 73, "CS1011": 86, "CS1012": 79,
}  # fmt: skip


@dataclass(frozen=True)
class Contact:
    """One closed chat whose operator wrote to the customer."""

    chat_id: str
    start: datetime
    end: datetime


def read_rows(path: Path) -> list[dict[str, str]]:
    """Returns the records of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a CSV file with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_identities(target: Path, agents: list[dict[str, str]]) -> None:
    """Writes one line per account: queue member name, chat user id and badge."""
    accounts = (("pbx", "pbx_member_name"), ("chat", "im_user_id"), ("hr", "hr_badge_id"))
    write_csv(
        target / "identity.csv",
        ["source_id", "account", "valid_from", "employee_number", "valid_to", "known_from"],
        (
            (source_id, agent[column], SINCE, agent["hr_badge_id"], "", SINCE)
            for source_id, column in accounts
            for agent in agents
            if agent[column]
        ),
    )


def write_teams(target: Path, agents: list[dict[str, str]]) -> None:
    """Writes each agent's team: the first of the queues, without its prefix."""
    write_csv(
        target / "team_assignment.csv",
        ["employee_number", "valid_from", "team_key", "valid_to", "known_from"],
        (
            (agent["hr_badge_id"], SINCE, agent["pbx_queues"].split()[0].removeprefix("svc-"), "", SINCE)
            for agent in agents
            if agent["pbx_queues"]
        ),
    )


def write_exams(target: Path) -> None:
    """Writes one exam: ten sat it, CS1010 was on leave and made it up, CS1003 stayed away without a reason."""
    rows: list[tuple[object, ...]] = [
        (agent, EXAM, "first", "2026-11-12", score, "") for agent, score in EXAM_SCORES.items()
    ]
    rows += [
        ("CS1003", EXAM, "first", "2026-11-12", "", "no_reason"),
        ("CS1010", EXAM, "first", "2026-11-12", "", "leave"),
        ("CS1010", EXAM, "make_up", "2026-11-19", 82, ""),
    ]
    header = ["employee_number", "exam_name", "sitting", "exam_date", "score", "absence_reason"]
    write_csv(target / "exam.csv", header, sorted(rows))


def contacts_by_user(recording: Path) -> dict[str, list[Contact]]:
    """Returns the chats that each chat user held and answered and that were closed in time, oldest first."""
    wrote: dict[str, set[str]] = defaultdict(set)
    for message in read_rows(recording / "lh_msg.csv"):
        if int(message["user_id"]) > 0 and "whisper" not in message["meta_msg"]:
            wrote[message["chat_id"]].add(message["user_id"])
    contacts: dict[str, list[Contact]] = defaultdict(list)
    for chat in sorted(read_rows(recording / "lh_chat.csv"), key=lambda chat: int(chat["id"])):
        start, end = (datetime.fromtimestamp(int(chat[column]), ZONE) for column in ("time", "cls_time"))
        if start < end <= CONTACTS_UNTIL and chat["user_id"] in wrote[chat["id"]]:
            contacts[chat["user_id"]].append(Contact(chat["id"], start, end))
    return contacts


def chosen(contacts: list[Contact]) -> list[Contact]:
    """Returns up to `FIRST_SCORES` contacts, spread evenly."""
    count = min(FIRST_SCORES, len(contacts))
    return [contacts[place * len(contacts) // count] for place in range(count)]


def write_reviews(target: Path, agents: list[dict[str, str]], recording: Path) -> None:
    """Writes the reviews: a first score per contact, then blind second scores by the other reviewer.

    An agent has `FIRST_SCORES` + `SECOND_SCORES` reviews. Who answered fewer chats gets more second scores instead.
    """
    random = Random(20261103)
    contacts = contacts_by_user(recording)
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = "qa_review"
    sheet.append(
        [
            "Review id / 质检编号", "Employee number / 工号", "Reviewer number / 质检员工号",
            "Contact source / 会话来源", "Contact id / 会话编号", "Contact time / 会话时间", "Review time / 质检时间",
            "Form version / 评分表版本", "Score / 分数", "Fatal / 是否致命", "Blind / 是否盲评",
            "Playback seconds / 播放秒数", "Recording seconds / 录音秒数",
        ]
    )  # fmt: skip
    number = 0
    for place, agent in enumerate(agent for agent in agents if agent["pbx_queues"]):
        picked = chosen(contacts[agent["im_user_id"]])
        quality = random.randint(80, 91)
        true_scores = [max(74, min(95, quality + random.randint(-9, 6))) for _ in picked]
        reviews = [(index, False) for index in range(len(picked))]
        reviews += [(index, True) for index in range(min(len(picked), FIRST_SCORES + SECOND_SCORES - len(picked)))]
        for step, (index, is_blind) in enumerate(reviews):
            contact = picked[index]
            reviewer = REVIEWERS[(place + index + is_blind) % 2]
            planned = datetime(2026, 11, REVIEW_DAYS[step], 10, tzinfo=ZONE) + timedelta(minutes=place * 20 + step)
            reviewed_at = max(planned, contact.end + timedelta(minutes=15))
            score = true_scores[index] + random.randint(-3, 3) - (reviewer == "Q002")
            seconds = round((contact.end - contact.start).total_seconds())
            number += 1
            sheet.append(
                [
                    f"R{number:04}", agent["hr_badge_id"], reviewer, "chat", contact.chat_id,
                    contact.start.replace(tzinfo=None), reviewed_at.replace(tzinfo=None), "2026.1", score,
                    "yes" if (agent["hr_badge_id"], index) == ("CS1009", 4) else "no", "yes" if is_blind else "no",
                    seconds * random.randint(55, 100) // 100, seconds,
                ]
            )  # fmt: skip
    workbook.save(target / "qa_review.xlsx")


def main(target: Path) -> None:
    """Writes all sheets into `target`."""
    agents = read_rows(SAMPLES / "agents.csv")
    write_identities(target, agents)
    write_teams(target, agents)
    write_exams(target)
    write_reviews(target, agents, SAMPLES / "live_helper_chat" / "tables")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
