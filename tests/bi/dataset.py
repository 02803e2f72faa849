"""A small published warehouse with awkward values: NULL with every reason, `<script>` names, n below the minimum."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bi.spec import load_contract

PERIOD = "2026-11-demo"
START, END = date(2026, 11, 2), date(2026, 11, 21)
NASTY_NAME = "<script>alert('赵敏')</script>"

# metric_id, dimension, zh, en, formula zh, formula en, unit, direction, type, min n, target, decimals
METRICS: list[tuple[Any, ...]] = [
    ("conversations_handled", "workload", "接待会话数", "Conversations handled", "有效会话数（去重）", "distinct effective conversations", "count", "higher", "objective", 1, None, 0),
    ("service_level", "responsiveness", "服务水平", "Service level", "门槛内接起 /（接起 + 5 秒以上放弃）", "answered within threshold / (answered + abandoned after 5 s)", "share", "higher", "objective", 50, 0.8, 1),
    ("abandonment_rate", "responsiveness", "放弃率", "Abandonment rate", "5 秒以上放弃 /（排队 − 短放弃）", "abandoned after 5 s / (offered - short abandons)", "share", "lower", "objective", 50, 0.05, 1),
    ("customer_first_response_time", "responsiveness", "客户首次响应时间", "Customer first response time", "首条人工回复 − 首条客户消息，均值", "first human reply - first customer message, mean", "seconds", "lower", "objective", 50, 60, 1),
    ("avg_response_time", "responsiveness", "平均响应时间", "Average response time", "Σ 响应秒数 / 已答轮次", "sum of response seconds / answered turns", "seconds", "lower", "objective", 50, 45, 1),
    ("aht", "efficiency", "平均处理时长", "Average handle time", "（通话 + 话后）/ 处理量", "(talk + wrap-up) / handled segments", "seconds", "band", "objective", 50, 300, 0),
    ("csat_rate", "customer_voice", "满意率", "Satisfaction rate", "评分 ≥ 4 / 有效评分", "ratings of 4 or 5 / valid ratings", "share", "higher", "subjective", 10, 0.9, 1),
    ("survey_response_rate", "customer_voice", "参评率", "Survey response rate", "参评 / 邀评", "answered / invitations", "share", "band", "objective", 50, None, 1),
    ("qa_listening_score", "quality", "监听成绩", "QA listening score", "评分均值，致命项记 0", "mean of review scores, fatal item counts 0", "score", "higher", "subjective", 5, 85, 1),
    ("exam_score", "quality", "业务考试", "Exam score", "正考与补考取高", "best of sitting or make-up", "score", "higher", "objective", 1, 80, 1),
    ("attendance_rate", "conduct", "出勤率", "Attendance rate", "出勤 ∩ 排班 / 排班", "attended within roster / rostered", "share", "higher", "objective", 1, 0.98, 1),
    ("first_response_time", "responsiveness", "首次响应时间", "First response time", "30 秒内首响占比", "share answered within 30 s", "share", "higher", "objective", 50, 0.9, 1),
]  # fmt: skip
TEAMS = [("general", "综合组", "General"), ("billing", "账单组", "Billing"), ("vip", "贵宾组", "VIP")]
AGENTS = [
    ("CS1001", "陈静", "general"), ("CS1002", "Anna Schröder", "general"), ("CS1003", "王磊", "general"), ("CS1004", "Ⅲ Zhou", "general"),
    ("CS1005", "李娜", "general"), ("CS1006", "Tom O'Neil", "general"), ("CS1007", "刘洋", "general"), ("CS1008", NASTY_NAME, "general"),
    ("CS1009", "周婷", "billing"), ("CS1010", "陈静", "billing"), ("CS1011", "吴昊", "vip"), ("CS1012", "Maximilian von Hohenstein-Weißenfels", "vip"),
]  # fmt: skip


def _value(unit_kind: str, unit_key: str, channel: str, metric: str, n: int | None, value: float | None, half: float | None,
           reason: str | None = None, day: date | None = None) -> tuple[Any, ...]:  # fmt: skip
    start, end = (day, day) if day else (START, END)
    kind, period = ("day", day.isoformat()) if day else ("period", PERIOD)
    low = None if value is None or half is None else value - half
    high = None if value is None or half is None else value + half
    return (unit_kind, unit_key, channel, metric, 1, kind, period, start, end, n, value, low, high, reason)


def metric_values() -> list[tuple[Any, ...]]:
    """Rows of pub_kpi.metric_value."""
    rows = [
        _value("site", "site", "voice", "conversations_handled", 842, 842, None),
        _value("site", "site", "chat", "conversations_handled", 391, 391, None),
        _value("site", "site", "voice", "service_level", 878, 0.8314, 0.0248),
        _value("site", "site", "chat", "service_level", 402, 0.9129, 0.0272),
        _value("site", "site", "voice", "abandonment_rate", 881, 0.0443, 0.0136),
        _value("site", "site", "chat", "abandonment_rate", 411, 0.0852, 0.0270),
        _value("site", "site", "chat", "customer_first_response_time", 377, 38.46, 4.7),
        _value("site", "site", "chat", "avg_response_time", 2214, 51.18, 3.1),
        _value("site", "site", "voice", "aht", 842, 287.2, 11.8),
        _value("site", "site", "chat", "aht", 399, 512.9, 31.0),
        _value("site", "site", "voice", "csat_rate", 214, 0.8785, 0.0438),
        _value("site", "site", "chat", "csat_rate", 61, 0.7869, 0.1030),
        _value("site", "site", "voice", "survey_response_rate", 611, 0.3502, 0.0378),
        _value("site", "site", "chat", "survey_response_rate", None, None, None, "not_measured"),
        _value("site", "site", "none", "qa_listening_score", 96, 86.4, 1.6),
        _value("site", "site", "none", "exam_score", 12, 81.25, None),
        _value("site", "site", "none", "attendance_rate", 168, 0.9712, None),
    ]
    for index, (team, *_) in enumerate(TEAMS):
        n = (620, 170, 52)[index]
        rows += [
            _value("team", team, "voice", "conversations_handled", n, n, None),
            _value("team", team, "voice", "service_level", n, (0.851, 0.803, 0.742)[index], (0.028, 0.06, 0.12)[index]),
            _value("team", team, "chat", "service_level", n // 2, (0.931, 0.902, 0.88)[index], (0.03, 0.05, 0.1)[index]),
            _value("team", team, "voice", "abandonment_rate", n, (0.039, 0.047, 0.096)[index], (0.015, 0.032, 0.08)[index]),
            _value("team", team, "chat", "avg_response_time", n * 3, (49.2, 57.6, 44.0)[index], (3.4, 7.1, 10.2)[index]),
            _value("team", team, "voice", "csat_rate", (150, 52, 6)[index], (0.893, 0.865, None)[index], (0.05, 0.09, None)[index], (None, None, "below_min_n")[index]),
            _value("team", team, "none", "attendance_rate", (112, 28, 28)[index], (0.976, 0.958, 1.0)[index], None),
        ]  # fmt: skip
    for queue, channel, level, abandoned, n in (
        ("svc-general", "voice", 0.846, 0.038, 640), ("svc-billing", "voice", 0.807, 0.052, 180), ("svc-vip", "voice", 0.71, 0.11, 58),
        ("cs", "chat", 0.93, 0.07, 300), ("billing", "chat", 0.87, 0.12, 80), ("vip", "chat", None, None, 0),
    ):  # fmt: skip
        reason = "no_denominator" if level is None else None
        half = None if level is None else 1.96 * (level * (1 - level) / n) ** 0.5
        rows.append(_value("queue", queue, channel, "service_level", n, level, half, reason))
        rows.append(_value("queue", queue, channel, "abandonment_rate", n, abandoned, half and half / 2, reason))
    for index, (agent, _, _team) in enumerate(AGENTS):
        n = 96 - 5 * index
        rows += [
            _value("agent", agent, "voice", "conversations_handled", n, n, None),
            _value("agent", agent, "chat", "conversations_handled", 40 - 2 * index, 40 - 2 * index, None),
            _value("agent", agent, "voice", "aht", n, 250 + 17.3 * index, 28 + index),
            _value("agent", agent, "chat", "aht", 40 - 2 * index, 430 + 22.1 * ((index * 5) % 12), 60),
            _value("agent", agent, "chat", "avg_response_time", 190 - 9 * index, 38 + 3.1 * ((index * 7) % 12), 6),
            _value("agent", agent, "voice", "csat_rate", 3, None, None, "below_min_n") if index == 4
            else _value("agent", agent, "voice", "csat_rate", 0, None, None, "no_denominator") if index == 11
            else _value("agent", agent, "voice", "csat_rate", 8 if index == 2 else 21, 0.78 + 0.02 * ((index * 3) % 11), 0.13),
            _value("agent", agent, "none", "qa_listening_score", 8, 80.5 + 1.3 * ((index * 4) % 12), 4.1),
            _value("agent", agent, "none", "exam_score", None if index == 6 else 1, None if index == 6 else (0.0 if index == 9 else 78 + index), None, "exempt" if index == 6 else None),
            _value("agent", agent, "none", "attendance_rate", None, None, None, "source_missing") if index == 10
            else _value("agent", agent, "none", "attendance_rate", 14, 0.93 + 0.006 * index, None),
            _value("agent", agent, "chat", "first_response_time", None, None, None, "not_measured"),
            _value("agent", agent, "voice", "survey_response_rate", None, None, None, None if index == 7 else "not_measured"),
        ]  # fmt: skip
    for offset in range((END - START).days + 1):
        day = START + timedelta(days=offset)
        weekend = day.weekday() >= 5
        calls, chats = (9 if weekend else 50 + offset % 7), (0 if weekend else 24 - offset % 5)
        rows += [
            _value("site", "site", "voice", "conversations_handled", calls, calls, None, day=day),
            _value("site", "site", "chat", "conversations_handled", chats, chats, None, day=day),
            _value("site", "site", "voice", "service_level", calls, 0.74 + 0.013 * (offset % 14), 0.09, day=day),
            _value("site", "site", "chat", "service_level", chats or None, None if weekend else 0.86 + 0.011 * (offset % 9),
                   0.1, "no_denominator" if weekend else None, day=day),
            _value("site", "site", "chat", "customer_first_response_time", chats, None if weekend else 30 + 2.7 * (offset % 8), None,
                   "no_denominator" if weekend else None, day=day),
            _value("site", "site", "voice", "csat_rate", 4 if weekend else 15, 0.8 + 0.02 * (offset % 6), 0.1, day=day),
            _value("site", "site", "chat", "csat_rate", None, None, None, "not_measured", day=day),
        ]  # fmt: skip
    return rows


def tables() -> dict[str, list[tuple[Any, ...]]]:
    """Rows of every published table, in the column order of the contract."""
    status = ["published"] * 9 + ["insufficient_evidence", "withheld", "published"]
    scores, components = [], []
    for index, (agent, name, team) in enumerate(AGENTS):
        shown = status[index] == "published"
        points = [round(14.6 + 1.2 * ((index * 5) % 7), 2), 21.35, 24.02, round(17.9 - 0.9 * (index % 4), 2)]
        total = round(sum(points), 2)
        scores.append((PERIOD, agent, name, team, "voice-2026", 3, total if shown else None, round(total - 1.7, 2) if shown else None,
                       round(total - 3.1 - 0.3 * index, 2) if shown else None, round(total + 3.1, 2) if shown else None,
                       ("A" if total >= 85 else "B" if total >= 70 else "C") if shown else None, status[index], 92.5 if shown else 48.0, "demo"))  # fmt: skip
        for metric, weight, factor, effective, raw, shrunk, score, point, zh, en in (
            ("csat_rate", 25, 0.62, 15.5, 0.83, 0.861, 88.0, points[0], "满意率可信度偏弱，权重打折", "satisfaction is weakly reliable, weight reduced"),
            ("avg_response_time", 25, 1, 29.75, 44.2, 46.0, 71.8, points[1], "", ""),
            ("qa_listening_score", 30, 1, 30, 86.1, 85.7, 80.1, points[2], "", ""),
            ("attendance_rate", 20, 1, 24.75, 0.97, 0.97, 72.3, points[3], "", ""),
        ):  # fmt: skip
            components.append((PERIOD, agent, metric, weight, factor, effective, raw, 21, raw * 0.92, raw * 1.06, shrunk, "piecewise", score, point, zh or None, en or None))  # fmt: skip
    reliability = [
        ("csat_rate", "general", "综合组", "General", PERIOD, "reliable", 0.86, 1, "f_resp", "各环节均达标", "every part holds"),
        ("csat_rate", "billing", "账单组", "Billing", PERIOD, "weak", 0.62, 0.62, "f_bias", "参评者与未参评者差异较大", "responders differ from the rest"),
        ("csat_rate", "vip", "贵宾组", "VIP", PERIOD, "not_enough_data", None, 1, None, "有效评分不足", "too few valid ratings"),
        ("qa_listening_score", "general", "综合组", "General", PERIOD, "unreliable", 0.21, 0, "f_agree", "质检员之间不一致", "reviewers disagree"),
        ("qa_listening_score", "billing", "账单组", "Billing", PERIOD, "not_evaluated", None, None, None, "检查套件缺失", "its suite of checks is missing"),
    ]  # fmt: skip
    return {
        "pub_kpi.metric_definition": [(m[0], 1, *m[1:], (order + 1) * 10) for order, m in enumerate(METRICS)],
        "pub_kpi.team": TEAMS,
        "pub_kpi.agent": AGENTS,
        "pub_kpi.metric_value": metric_values(),
        "pub_kpi.metric_reliability": reliability,
        "pub_appraisal.score": scores,
        "pub_appraisal.score_component": components,
        "pub_operations.publication": [
            (6, 117, datetime(2026, 11, 22, 23, tzinfo=UTC), "demo", Jsonb({"fitness": "passed"}), None, None),
            (7, 124, datetime(2026, 11, 24, 23, tzinfo=UTC), "demo",
             Jsonb({"row_counts": "passed", "reconciliation": "passed", "freshness": "failed", "invariants": "passed"}),
             "排班数据晚到：账单组出勤率为截至 11 月 20 日的结果。", "Rosters arrived late: attendance of Billing is as of 20 November."),
        ],
        "pub_operations.load_status": [
            ("pbx", "queue_log", datetime(2026, 11, 24, 22, 41, tzinfo=UTC), 18423, 18311, 0, 109, 3),
            ("pbx", "cdr", datetime(2026, 11, 24, 22, 41, tzinfo=UTC), 5210, 5210, 0, 0, 0),
            ("chat", "lh_chat", datetime(2026, 11, 24, 22, 43, tzinfo=UTC), 431, 20, 411, 0, 0),
            ("chat", "lh_msg", datetime(2026, 11, 24, 22, 43, tzinfo=UTC), 9120, 8000, 1100, 20, 0),
            ("sheets", "qa_review", datetime(2026, 11, 24, 22, 45, tzinfo=UTC), 98, 95, 0, 0, 2),
        ],
        "pub_operations.contradiction": [
            ("attendance_open_day", "hr", "CS1003", date(2026, 11, 9), "08:02 –", "08:00 – 16:00", "上班打卡无下班打卡", "clock-in without clock-out"),
            ("unmapped_account", "data_engineer", None, None, "chat user 17", "<b>HR</b> —", "聊天账号没有对应工号", "chat account without badge"),
            ("attendance_open_day", "hr", "CS1009", date(2026, 11, 12), "08:11 –", "08:00 – 16:00", "上班打卡无下班打卡", "clock-in without clock-out"),
        ],
        "pub_operations.quality_result": [
            ("fitness_csat_rate", "rows_present", "critical", True, "214 rows", "证据存在", "evidence is present", "data_engineer"),
            ("fitness_csat_rate", "fresh", "critical", True, "3 h", "证据不超过 26 小时", "evidence is younger than 26 h", "data_engineer"),
            ("fitness_roster", "fresh", "critical", False, "97 h <stale>", "排班数据应在 26 小时内", "rosters must be younger than 26 h", "hr"),
            ("band_qa_listening_score", "rater_agreement", "warning", False, "α = 0.41", "质检一致性应 ≥ 0.667", "rater agreement must be 0.667 or more", "qa_lead"),
            ("band_qa_listening_score", "halo", "warning", None, "", "样本不足，未评估", "too few reviews to evaluate", "qa_lead"),
            ("row_chat", "turn_order", "info", True, "0 of 2214", "轮次顺序正确", "turns are in order", "data_engineer"),
        ],
    }  # fmt: skip


def create(connection: psycopg.Connection[Any], rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """Creates the published tables exactly as the contract says and fills them."""
    for schema in dict.fromkeys(table.split(".")[0] for table in load_contract()):
        connection.execute(f"create schema {schema}")  # type: ignore[arg-type]
    for table, columns in load_contract().items():
        spelled = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create table {table} ({spelled})")  # type: ignore[arg-type]
        marks = ", ".join(["%s"] * len(columns))
        with connection.cursor() as cursor:
            cursor.executemany(f"insert into {table} values ({marks})", rows[table])  # type: ignore[arg-type]
