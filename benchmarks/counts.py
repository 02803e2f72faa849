"""What the rules count, taken from a simulated world itself: no source format, no load, no SQL.

Definitions are those of `models/appraisal/evidence`; what is judged of the counts is the production code of
`kefu.pipeline.integrity` and `kefu.pipeline.raters`. Called by `benchmarks/integrity.py`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import load_catalogue
from kefu.catalogue.integrity import Lexicon
from kefu.pipeline import integrity, raters
from kefu.pipeline.context import Scope
from kefu.settings import PROJECT
from kefu.simulation.operation import OPERATION
from kefu.simulation.papers import write_papers
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.statistics import integrity as tests
from kefu.yaml_files import read_yaml

_COHORT = "demo_v1/agent"
_SHEETS = ("ticket", "contact_label", "complaint", "registration", "daily_form", "order")
# Which ratings each rule about rows can look at: Live Helper Chat keeps no invitations, the telephone no text.
_LOOKS_AT = {"V2": ("voice", "chat", "desk"), "V3": ("voice", "chat", "desk"), "V4": ("voice", "desk"),
             "V5": ("chat", "desk")}  # fmt: skip
# What the warehouse calls the rows of a table; an answer of the follow-up has one rating for each item behind it.
ROW_KEYS = {"follow_up": "sim_sheets:F{:06}", "survey": "sim_desk:{}/csat", "qa_review": "sim_sheets:R{:06}"}

# Questions before a purchase, and how soon after one a payment counts as its result.
_PRESALE = {
    one["issue_class"] for one in read_yaml(PROJECT / "config" / "issue_classes.yml") if one.get("is_presale")
}  # fmt: skip
_CREDITED_WITHIN = pd.Timedelta(days=2)


def _states(table: str, ids: pd.Series, is_hit: pd.Series) -> dict[str, str]:
    keys = [ROW_KEYS[table].format(number) for number in ids]
    return dict(zip(keys, np.where(is_hit, "flagged", "clear").tolist(), strict=True))


def truly_biased(world: World, defaults: Defaults) -> dict[str, set[str]]:
    """Returns whose marks really are as far off as the rules for raters ask, planted or by nature.

    Off is the mean distance from the true scores, less that of all reviews: severity is among raters.
    """
    reviews = world.tables["qa_review"].select(["reviewer_key", "score", "true_score"]).to_pandas()
    off = reviews["score"] - reviews["true_score"]
    mean = (off - off.mean()).groupby(reviews["reviewer_key"]).mean()
    points = defaults.rater.bias_points
    return {"lenient": set(mean[mean > points].index), "severe": set(mean[mean < -points].index)}


def unlinked(world: World) -> set[str]:
    """Returns the answers of the follow-up about calls that the telephone system did not deliver: of V7 and V9."""
    answers = world.tables["follow_up"].to_pylist()
    calls = set(world.tables["call"]["call_id"].to_pylist())
    return {
        ROW_KEYS["follow_up"].format(row["answer_id"])
        for row in answers
        if row["channel"] == "voice" and row["contact_id"] not in calls
    }


def of_other_months(world: World, scenario: Scenario) -> set[str]:
    """Returns the reviews of contacts of another month than the one they were reviewed in: of V11."""
    reviews = world.tables["qa_review"].select(["review_id", "contact_at", "reviewed_at"]).to_pandas()
    contact, review = (
        reviews[name].dt.tz_convert(scenario.time_zone).dt.strftime("%Y-%m") for name in ("contact_at", "reviewed_at")
    )
    return {ROW_KEYS["qa_review"].format(number) for number in reviews.loc[contact != review, "review_id"]}


class Counted:
    """The counts of the last month of a world and what the rules say about them."""

    def __init__(self, world: World, scenario: Scenario, defaults: Defaults) -> None:
        self.world, self._scenario, self._defaults = world, scenario, defaults
        self._limits = defaults.integrity
        papers = write_papers(world, scenario, scenario.seed, _SHEETS)
        self._paper = {name: papers[name].to_pandas() for name in _SHEETS}
        self._table = {name: world.tables[name].to_pandas() for name in (
            "agent", "agent_state", "call", "chat", "chat_segment", "customer", "follow_up", "membership", "message",
            "qa_review", "queue", "rating_change", "survey", "team",
        )}  # fmt: skip
        self._first, self._last = scenario.month_starts[-2], scenario.end - timedelta(days=1)
        self.agents = sorted(self._table["agent"]["agent_key"])
        self._tested: dict[str, list[tuple[Any, ...]]] = {}

    # --- what the rules say

    def states(self) -> dict[str, dict[str, str]]:
        """Returns everybody's state by rule."""
        evidence = self._evidence()
        rules = (*(f"I{number}" for number in range(1, 8)), *(f"G{number}" for number in range(1, 9)))
        found = {rule: self._judged(evidence, rule) for rule in rules} | self._row_rules() | self._rater_flags()
        return found | self._answers() | {"V8": self._raised(), "V11": self._defective()}

    def states_of_forms(self) -> dict[str, dict[str, str]]:
        """Returns everybody's state by the rules that look at forms only."""
        pairs = self._pairs()
        nothing: Any = defaultdict(lambda: (0, 0))
        cohorts = np.full(len(self.agents), _COHORT)
        evidence = integrity.Evidence(self.agents, cohorts, {}, {}, {}, nothing, False, pairs)
        return {"I7": self._judged(evidence, "I7")} | self._rater_flags()

    def _judged(self, evidence: integrity.Evidence, rule: str) -> dict[str, str]:
        metric = "peer_rating" if rule == "I7" else rule
        outcome = integrity.rule_of(rule)(evidence, self._limits, rule, metric)
        self._tested[rule] = list(integrity._rows(evidence, self._limits, outcome))
        return {
            row[1]: "flagged" if row[7] else "clear" if row[8] == "tested" else row[8] for row in self._tested[rule]
        }

    def cases(self, rule: str) -> dict[str, tuple[int, float, float, float]]:
        """Returns n, the cohort's share, p and q of everybody whom a rule tested."""
        return {
            row[1]: (row[2], float(row[4]), float(row[5]), float(row[6]))
            for row in self._tested[rule]
            if row[8] == "tested"
        }

    # --- conversations

    def _days(self, instants: pd.Series) -> pd.Series:
        return instants.dt.tz_convert(self._scenario.time_zone).dt.date

    def _in_month(self, instants: pd.Series) -> pd.Series:
        days = self._days(instants)
        return (days >= self._first) & (days <= self._last)

    @cached_property
    def conversations(self) -> pd.DataFrame:
        """Returns what an agent ended: source, key, agent, customer, start, end, day, issue class, code, temper, wait.

        A call that was passed on is one conversation with the visits behind it, of the last agent who talked.
        """
        calls = self._table["call"]
        calls = calls[calls["direction"] == "inbound"].set_index("call_id")
        root = {int(after): int(key) for key, after in calls["next_call_id"].dropna().items()}
        first = pd.Series(calls.index, index=calls.index)
        for _ in range(10):
            first = first.map(lambda key: root.get(key, key))
        chain = calls.assign(key=first, answered=calls["answered_at"].notna()).sort_values("entered_at")
        waits = (chain["answered_at"].fillna(chain["ended_at"]) - chain["entered_at"]).dt.total_seconds()
        limit = self._table["queue"].set_index("queue_id")["service_level_seconds"]
        chain = chain.assign(is_long=waits > chain["queue_id"].map(limit))
        voice = chain.groupby("key").agg(
            customer_id=("customer_id", "first"), started_at=("entered_at", "first"), ended_at=("ended_at", "last"),
            is_long=("is_long", "any"), is_passed_on=("ended_by", lambda by: False),
        )  # fmt: skip
        served = chain[chain["answered"]].groupby("key").agg(agent_key=("agent_key", "last"), how=("ended_by", "last"))
        voice = voice.join(served, how="inner")
        voice["is_passed_on"] = voice["how"] == "transfer"
        voice = voice.reset_index().assign(source="voice")
        self._root = first.to_dict()
        chats = self._table["chat"]
        message = self._table["message"]
        spoke = set(message.loc[message["author"] == "agent", "chat_id"])
        queued = chats["bot_until"].fillna(chats["started_at"])
        waited = (chats["accepted_at"].fillna(chats["closed_at"]) - queued).dt.total_seconds()
        chats = chats.assign(
            is_long=waited > chats["queue_id"].map(limit), source=chats["channel"], key=chats["chat_id"],
            ended_at=chats["closed_at"], is_passed_on=False,
        )  # fmt: skip
        chats = chats[chats["agent_key"].notna() & chats["chat_id"].isin(spoke) & chats["ended_at"].notna()]
        columns = ["source", "key", "agent_key", "customer_id", "started_at", "ended_at", "is_long", "is_passed_on"]
        found = pd.concat([voice[columns], chats[columns]], ignore_index=True)
        found["day"] = self._days(found["ended_at"])
        return found.merge(self._papers_of_contacts, how="left", on=["source", "key"])

    @cached_property
    def _papers_of_contacts(self) -> pd.DataFrame:
        """Returns, by source and conversation, what labels and tickets say."""
        names = {"sim_pbx": "voice", "sim_chat": "chat", "sim_desk": "desk"}
        from kefu.simulation.papers import _Office

        ids = {name: key for key, name in _Office(self.world, self._scenario, 0).contact_ids.items()}

        def keyed(frame: pd.DataFrame) -> pd.DataFrame:
            frame = frame[frame["contact_source_id"].notna()].assign(source=lambda f: f["contact_source_id"].map(names))
            voice = frame["source"] == "voice"
            key = frame["contact_id"].where(voice).map(ids)
            return frame.assign(key=key.map(self._root).fillna(frame["contact_id"].where(~voice).astype(float)))

        labels, tickets = keyed(self._paper["contact_label"]), keyed(self._paper["ticket"])
        labels = labels.drop_duplicates(["source", "key", "label"], keep="last")
        wide = labels.pivot(index=["source", "key"], columns="label", values="value")
        tickets = tickets.sort_values("opened_at").drop_duplicates(["source", "key"], keep="last")
        joined = wide[["issue_class", "sentiment_last"]].join(
            tickets.set_index(["source", "key"])[["issue_class", "close_code"]], how="outer", rsuffix="_of_ticket"
        )
        joined["issue_class"] = joined["issue_class"].fillna(joined["issue_class_of_ticket"])
        return joined[["issue_class", "sentiment_last", "close_code"]].reset_index()

    def _came_back(self) -> pd.Series:
        """Returns whether a conversation's customer came back about the same class in time, by conversation."""
        found = self.conversations
        begun = self._begun.merge(self._papers_of_contacts, how="left", on=["source", "key"])
        left = found[found["issue_class"].notna()][["customer_id", "issue_class", "ended_at"]].reset_index()
        right = begun[begun["issue_class"].notna()][["customer_id", "issue_class", "started_at"]]
        both = left.sort_values("ended_at")
        after = pd.merge_asof(
            both, right.sort_values("started_at"), left_on="ended_at", right_on="started_at",
            by=["customer_id", "issue_class"], direction="forward", allow_exact_matches=False,
            tolerance=pd.Timedelta(days=self._limits.after_days),
        )  # fmt: skip
        came = pd.Series(False, index=found.index)
        came[after["index"]] = after["started_at"].notna().to_numpy()
        return came

    @cached_property
    def _begun(self) -> pd.DataFrame:
        """Returns every conversation that began, served or not."""
        calls, chats = self._table["call"], self._table["chat"]
        followed = set(calls["next_call_id"].dropna().astype(int))
        roots = calls[(calls["direction"] == "inbound") & ~calls["call_id"].isin(followed)]
        parts = [
            roots.assign(source="voice", key=roots["call_id"], started_at=roots["entered_at"]),
            chats.assign(source=chats["channel"], key=chats["chat_id"]),
        ]
        return pd.concat([part[["source", "key", "customer_id", "started_at"]] for part in parts], ignore_index=True)

    # --- evidence of agents

    def _evidence(self) -> integrity.Evidence:
        size = len(self.agents)
        conduct: dict[tuple[str, str], tuple[tests.Counts, tests.Counts]] = {}
        place = {agent: number for number, agent in enumerate(self.agents)}
        for rule, frame in self._conduct().items():
            cases, hits = conduct[rule, rule] = np.zeros(size, np.int64), np.zeros(size, np.int64)
            for agent, group in frame.groupby("agent_key")["is_hit"]:
                cases[place[str(agent)]], hits[place[str(agent)]] = len(group), int(group.sum())
        offers = self._offers()
        return integrity.Evidence(
            agents=self.agents,
            cohorts=np.full(len(self.agents), _COHORT),
            ratings=self._rating_counts(),
            conduct=conduct,
            offers=offers,
            manual=defaultdict(lambda: (0, 0)),
            has_offers=bool(offers),
            pairs=self._pairs(),
        )

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """Returns the month's answers about satisfaction, with the agent, and whether the customer is of the staff."""
        survey = self._table["survey"]
        ended = self.conversations[["source", "key", "agent_key", "day"]]
        given = survey[survey["value"].notna()].assign(source=lambda f: f["channel"])
        given["key"] = given["contact_id"].where(given["source"] != "voice", given["contact_id"].map(self._root))
        given = given.drop(columns="agent_key").merge(ended, on=["source", "key"])
        given = given[(given["day"] >= self._first) & (given["day"] <= self._last)]
        customers = self._table["customer"].set_index("customer_id")
        numbers = {staff_phone(agent) for agent in self.agents} | {staff_email(agent) for agent in self.agents}
        is_staff = customers["phone"].isin(numbers) | customers["email"].isin(numbers)
        given = given.assign(is_staff=given["customer_id"].map(is_staff).to_numpy(bool))
        # What the agent wrote after the answer, without taking the conversation anew.
        message, parts = self._table["message"], self._table["chat_segment"]
        wrote = message[message["author"] == "agent"].groupby("chat_id")["sent_at"].max()
        taken = parts.groupby("chat_id")["started_at"].max()
        key = given["key"].where(given["source"] != "voice")
        given["is_early"] = (key.map(wrote) > given["answered_at"]) & (key.map(taken) <= given["answered_at"])
        first = given["survey_id"].map(self._table["rating_change"].set_index("survey_id")["value"])
        given["is_raised"] = given["is_early"] & (given["value"] - first >= self._defaults.rating.raised_levels)
        return given.assign(value=given["value"].where(~given["is_raised"], first))

    def _rating_counts(self) -> dict[str, Any]:
        given = self.ratings[~self.ratings["is_staff"]]
        first = self._burst_from()
        best = given["value"] == 5
        complaints = self._paper["complaint"]
        upheld = complaints[(complaints["status"] == "upheld") & complaints["employee_number"].notna()]
        against = {
            (agent, phone) for agent, phone in zip(upheld["employee_number"], upheld["customer_phone"], strict=True)
        }
        phones = self._table["customer"].set_index("customer_id")["phone"]
        pair = zip(given["agent_key"], given["customer_id"].map(phones), strict=True)
        contradicted = best & (
            pd.Series([one in against for one in pair], index=given.index) | given.index.isin(self._refunded(given))
        )
        by_customer = given.groupby(["agent_key", "customer_id"]).size()
        ended = self.conversations[(self.conversations["day"] >= self._first)]
        ended = ended[ended["day"] <= self._last]
        top = self._limits.top_customers
        columns = {
            "rating_count": given.groupby("agent_key").size(),
            "last_count": given[given["day"] >= first].groupby("agent_key").size(),
            "eligible_count": ended.groupby("agent_key").size(),
            "eligible_last_count": ended[ended["day"] >= first].groupby("agent_key").size(),
            "known_count": given.groupby("agent_key").size(),
            "customer_count": by_customer.groupby("agent_key").size(),
            "top_customer_count": by_customer.groupby("agent_key").max(),
            "top_customers_count": by_customer.groupby("agent_key").apply(lambda s: s.nlargest(top).sum()),
            "maximum_count": given[best].groupby("agent_key").size(),
            "contradicted_count": given[contradicted].groupby("agent_key").size(),
        }
        return {name: column.reindex(self.agents, fill_value=0).to_numpy(float) for name, column in columns.items()}

    def _refunded(self, given: pd.DataFrame) -> pd.Index:
        """I5: ratings after which the customer had an order refunded that is credited to the same agent.

        Credited is who served the customer last before the payment, soon after a question before a purchase.
        """
        customers = dict(zip(self._table["customer"]["phone"], self._table["customer"]["customer_id"], strict=True))
        orders = self._paper["order"]
        orders = orders[orders["refunded_at"].notna()].assign(customer_id=lambda f: f["customer_phone"].map(customers))
        asked = self.conversations[self.conversations["issue_class"].isin(_PRESALE)]
        asked = asked.rename(columns={"started_at": "asked_at"})[["customer_id", "asked_at"]]
        orders = pd.merge_asof(
            orders.sort_values("paid_at"), asked.sort_values("asked_at"), left_on="paid_at", right_on="asked_at",
            by="customer_id", tolerance=_CREDITED_WITHIN,
        ).dropna(subset="asked_at")  # fmt: skip
        served = self.conversations[["customer_id", "agent_key", "started_at"]].sort_values("started_at")
        credited = pd.merge_asof(
            orders, served, left_on="paid_at", right_on="started_at", by="customer_id", direction="backward"
        )
        both = given.reset_index().merge(
            credited[["customer_id", "agent_key", "refunded_at"]], on=["customer_id", "agent_key"]
        )
        after = both["refunded_at"] - both["answered_at"]
        is_soon = (after >= pd.Timedelta(0)) & (after <= pd.Timedelta(days=self._limits.after_days))
        return pd.Index(both.loc[is_soon, "index"])

    def _burst_from(self) -> date:
        """Returns the first of the last business days of the month."""
        (calendar,) = read_yaml(PROJECT / "config" / "calendars.yml")
        worked = []
        for number in range((self._last - self._first).days + 1):
            day = self._first + timedelta(days=number)
            is_off = any(one["from"] <= day <= one["to"] for one in calendar["holidays"])
            if day in calendar["make_up_days"] or (day.isoweekday() <= 5 and not is_off):
                worked.append(day)
        return worked[-self._limits.burst_days]

    def _offers(self) -> dict[int, dict[str, list[list[int]]]]:
        """I2: of the systems that keep invitations, by agent, factor and channel, who was invited."""
        found = self.conversations.assign(is_back=self._came_back())
        found = found[found["source"].isin(("voice", "desk")) & ~found["is_passed_on"]]
        found = found[(found["day"] >= self._first) & (found["day"] <= self._last)]
        survey = self._table["survey"]
        key = survey["contact_id"].where(survey["channel"] != "voice", survey["contact_id"].map(self._root))
        invited = set(zip(survey["channel"], key, strict=True))
        found = found.assign(
            is_invited=[pair in invited for pair in zip(found["source"], found["key"], strict=True)],
            channel=found["source"].where(found["source"] == "voice", "chat"),
            solved=~found["is_back"] & (found["close_code"] != "unsolved"),
            sentiment=found["sentiment_last"].map({"-1": False, "0": True, "1": True}),
            wait=~found["is_long"],
        )
        offers: dict[int, dict[str, list[list[int]]]] = defaultdict(lambda: defaultdict(list))
        place = {agent: number for number, agent in enumerate(self.agents)}
        for (agent, _), group in found.groupby(["agent_key", "channel"]):
            for factor in ("solved", "sentiment", "wait"):
                good = group[factor] == True  # noqa: E712
                bad = group[factor] == False  # noqa: E712
                yes = group["is_invited"]
                cells = [int((part & flag).sum()) for part in (good, bad) for flag in (yes, ~yes)]
                offers[place[agent]][factor].append(cells)
        return offers

    def _pairs(self) -> dict[str, dict[int, list[integrity.Pair]]]:
        """I7: by agent, in how many months each partner and the agent gave each other high marks, out of how many."""
        forms = self._paper["daily_form"]
        forms = forms[forms["form_kind"] == "peer_rating"]
        forms = forms.assign(score=forms[["teamwork_score", "initiative_score"]].mean(axis=1))
        giver = forms.groupby("rater_number")["score"].agg(["mean", "std", "size"])
        giver = giver[(giver["size"] >= 3) & (giver["std"] > 0)]
        forms = forms.join(giver, on="rater_number", how="inner")
        forms["is_high"] = forms["score"] > forms["mean"] + self._limits.reciprocal_sd * forms["std"]
        given = forms[["rater_number", "employee_number", "form_date", "is_high"]]
        both = given.merge(
            given, left_on=["rater_number", "employee_number", "form_date"],
            right_on=["employee_number", "rater_number", "form_date"], suffixes=("", "_back"),
        )  # fmt: skip
        both["is_mutual"] = both["is_high"] & both["is_high_back"]
        place = {agent: number for number, agent in enumerate(self.agents)}
        pairs: dict[int, list[integrity.Pair]] = defaultdict(list)
        for (one, other), group in both.groupby(["rater_number", "employee_number"]):
            counts = (int(group[name].sum()) for name in ("is_high", "is_high_back"))
            pairs[place[one]].append(integrity.Pair(place[other], int(group["is_mutual"].sum()), len(group), *counts))
        return {"peer_rating": pairs} if pairs else {}

    def _conduct(self) -> dict[str, pd.DataFrame]:
        """Returns the cases of I6 and G1 to G8: whose each is, and whether it is a hit."""
        limits, found = self._limits, self.conversations
        of_month = found[(found["day"] >= self._first) & (found["day"] <= self._last)]
        coded = of_month["close_code"].isin(("solved", "unsolved")) & self._came_back()[of_month.index]
        rules = {"I6": of_month.assign(is_hit=of_month["close_code"] == "solved")[coded]}
        rules |= self._chat_conduct(of_month)
        calls = self._table["call"]
        dials = calls[calls["direction"] == "outbound"].sort_values(["entered_at", "call_id"])
        gap = dials.groupby(["agent_key", "customer_id"])["entered_at"].diff().dt.total_seconds()
        ring = (dials["answered_at"].fillna(dials["ended_at"]) - dials["entered_at"]).dt.total_seconds()
        is_hit = (gap < limits.redial_seconds) & (ring < limits.redial_ring_seconds) & dials["answered_at"].isna()
        rules["G3"] = dials.assign(is_hit=is_hit)[self._in_month(dials["entered_at"])]
        talks = calls[(calls["direction"] == "inbound") & calls["answered_at"].notna()]
        talk = (talks["ended_at"] - talks["answered_at"]).dt.total_seconds()
        talks = talks.assign(is_hit=(talks["ended_by"] == "transfer") & (talk <= limits.talk_limit_seconds))
        near = talk >= limits.talk_limit_seconds - limits.before_limit_seconds
        rules["G4"] = talks[near & self._in_month(talks["ended_at"])]
        visits = calls[(calls["direction"] == "inbound") & self._in_month(calls["entered_at"])]
        rank = visits["entered_at"].dt.floor("30min").value_counts().rank(method="first", ascending=False)
        busy = set(rank[(rank - 1) / (len(rank) - 1) < limits.peak_share].index)
        pauses = self._table["agent_state"]
        pauses = pauses[(pauses["state"] == "acw") & pauses["started_at"].dt.floor("30min").isin(busy)]
        seconds = (pauses["ended_at"] - pauses["started_at"]).dt.total_seconds()
        rules["G6"] = pauses.assign(is_hit=seconds > limits.parked_seconds)
        tickets = self._paper["ticket"].rename(columns={"employee_number": "agent_key"}).sort_values("opened_at")
        between = tickets.groupby(["agent_key", "customer_phone", "issue_class"])["opened_at"].diff().dt.total_seconds()
        rules["G7"] = tickets.assign(is_hit=between < limits.split_seconds)[self._in_month(tickets["opened_at"])]
        staff = {staff_phone(agent) for agent in self.agents}
        made = self._paper["registration"].rename(columns={"employee_number": "agent_key"})
        rules["G8"] = made.assign(is_hit=made["customer_phone"].isin(staff))[self._in_month(made["registered_at"])]
        return rules

    def _chat_conduct(self, of_month: pd.DataFrame) -> dict[str, pd.DataFrame]:
        limits, message = self._limits, self._table["message"]
        chats, parts = self._table["chat"].set_index("chat_id"), self._table["chat_segment"].copy()
        own = message[message["author"] == "agent"][["chat_id", "message_id", "agent_key", "sent_at"]]
        said = pd.merge_asof(
            own.sort_values("sent_at"), parts.sort_values("started_at"), left_on="sent_at", right_on="started_at",
            by=["chat_id", "agent_key"],
        ).sort_values("message_id")  # fmt: skip
        said = said[said["number"].notna()]
        opening = said.groupby(["chat_id", "number"]).agg(
            agent_key=("agent_key", "first"), started_at=("started_at", "first"), ended_at=("ended_at", "first"),
            first=("sent_at", "first"), second=("sent_at", lambda s: s.iloc[1] if len(s) > 1 else pd.NaT),
        )  # fmt: skip
        opening = opening[opening["ended_at"].notna()]
        opening = opening[self._in_month(opening["ended_at"])]
        quiet = (opening["second"].fillna(opening["ended_at"]) - opening["first"]).dt.total_seconds()
        quick = (opening["first"] - opening["started_at"]).dt.total_seconds() < limits.empty_reply_seconds
        rules = {"G1": opening.assign(is_hit=quick & (quiet >= limits.empty_reply_silence_seconds))}

        ended = of_month[of_month["source"] != "voice"].set_index("key")
        last_reply = own.groupby("chat_id")["message_id"].max()
        asked = message[message["author"] == "visitor"]
        asked = asked[asked["message_id"] > asked["chat_id"].map(last_reply).fillna(-1)].groupby("chat_id")["sent_at"]
        silence = (ended["ended_at"] - asked.first().reindex(ended.index)).dt.total_seconds()
        begun = self._begun.sort_values("started_at")[["customer_id", "started_at"]]
        after = pd.merge_asof(
            ended.reset_index()[["key", "customer_id", "ended_at"]].sort_values("ended_at"),
            begun.rename(columns={"started_at": "again_at"}), left_on="ended_at", right_on="again_at", by="customer_id",
            direction="forward", allow_exact_matches=False, tolerance=pd.Timedelta(hours=limits.silence_return_hours),
        ).set_index("key")["again_at"]  # fmt: skip
        rules["G2"] = ended.assign(is_hit=(silence > limits.silence_gap_seconds) & after.reindex(ended.index).notna())

        closed = message[(message["author"] == "system") & (message["text"] == "closed_by_agent")]
        closing = closed.groupby("chat_id")["sent_at"].first()
        again = chats["reopened_at"]
        parts["reopened_at"] = parts["chat_id"].map(again)
        early = parts[parts["reopened_at"].isna() | (parts["started_at"] < parts["reopened_at"])]
        owner = early.sort_values("number").groupby("chat_id")
        owner = owner.agg(agent_key=("agent_key", "last"), at=("ended_at", "last"))
        owner = owner[owner.index.isin(closing.index) & owner["at"].notna()]
        owner = owner[self._in_month(owner["at"])]
        shut = (again.reindex(owner.index) - closing.reindex(owner.index)).dt.total_seconds()
        rules["G5"] = owner.assign(is_hit=(shut >= 0) & (shut < limits.reopened_seconds))
        return rules

    # --- rows and raters

    def _row_rules(self) -> dict[str, dict[str, str]]:
        given, rating = self.ratings.sort_values(["answered_at", "survey_id"]), self._defaults.rating
        counted = given[~given["is_staff"]]
        number = counted.groupby(["customer_id", "agent_key"]).cumcount().reindex(given.index)
        seconds = (given["answered_at"] - given["invited_at"]).dt.total_seconds()
        hits = {
            "V2": number >= rating.max_per_customer_agent, "V3": given["is_staff"],
            "V4": (seconds < rating.min_seconds) | given["is_early"], "V5": self._begged(given),
        }  # fmt: skip
        by_rule: dict[str, dict[str, str]] = {}
        for rule, sources in _LOOKS_AT.items():
            seen = given[given["source"].isin(sources)]
            by_rule[rule] = dict.fromkeys(self.agents, "not_enough_data")
            by_rule[rule] |= dict.fromkeys(seen["agent_key"], "clear")
            by_rule[rule] |= dict.fromkeys(seen.loc[hits[rule].loc[seen.index], "agent_key"], "flagged")
        return by_rule

    def _answers(self) -> dict[str, dict[str, str]]:
        """V1, V6, V7, V9, V10: what stands against each answer of the follow-up."""
        answers = self._table["follow_up"].assign(source=lambda frame: frame["channel"])
        voice = answers["source"] == "voice"
        answers["key"] = answers["contact_id"].where(~voice, answers["contact_id"].map(self._root))
        served = self.conversations[["source", "key", "ended_at", "day"]]
        answers = answers.merge(served, how="left", on=["source", "key"])
        calls, chats = self._table["call"].set_index("call_id"), self._table["chat"].set_index("chat_id")
        ended = answers["contact_id"].map(calls["ended_at"]).where(voice, answers["contact_id"].map(chats["closed_at"]))
        answers["ended_at"] = answers["ended_at"].fillna(ended)
        answers = answers[answers["ended_at"].isna() | self._in_month(answers["ended_at"])]
        is_linked = answers["key"].notna() & answers["ended_at"].notna()
        window = pd.Timedelta(hours=self._defaults.rating.window_h)
        is_late = ~is_linked | (answers["answered_at"] > answers["ended_at"] + window)
        is_counted = answers["day"].notna() & ~is_late
        in_order = answers[is_counted].sort_values(["answered_at", "answer_id"])
        is_repeated = in_order.duplicated(["source", "key"], keep="last").reindex(answers.index, fill_value=False)
        items = [*OPERATION.follow_up.items]
        hits = {
            "V1": is_repeated, "V6": answers["reason"].isin(OPERATION.follow_up.product_reasons), "V7": is_late,
            "V9": answers["day"].isna(), "V10": answers[items].nunique(axis=1) == 1,
        }  # fmt: skip
        return {rule: _states("follow_up", answers["answer_id"], is_hit) for rule, is_hit in hits.items()}

    def _raised(self) -> dict[str, str]:
        """V8: which ratings of the desk were raised."""
        given = self.ratings[self.ratings["source"] == "desk"]
        return _states("survey", given["survey_id"], given["is_raised"])

    def _defective(self) -> dict[str, str]:
        """V11: which reviews of the month are defective."""
        reviews = self._table["qa_review"]
        reviews = reviews[self._in_month(reviews["reviewed_at"])]
        leads = self._table["team"].set_index("team_id")["lead_key"]
        held = reviews[["review_id", "agent_key", "reviewed_at"]].merge(self._table["membership"], on="agent_key")
        held = held[held["valid_from"] <= self._days(held["reviewed_at"])].sort_values("valid_from")
        managers = held.drop_duplicates("review_id", keep="last").set_index("review_id")["team_id"].map(leads)
        reviewer, least = reviews["reviewer_key"], float(self._defaults.review.min_playback_share)
        is_hit = (reviewer == reviews["agent_key"]) | (reviewer == reviews["review_id"].map(managers))
        is_hit |= ~self._in_month(reviews["contact_at"]) | (reviews["form_version"] != OPERATION.review.form_version)
        is_hit |= reviews["playback_seconds"] < least * reviews["recording_seconds"]
        return _states("qa_review", reviews["review_id"], is_hit)

    def _begged(self, given: pd.DataFrame) -> pd.Series:
        """V5: what the lexicons in force find in the last words before the invitation, or before the answer."""
        found = load_catalogue(PROJECT / "config").objects["lexicon"].values()
        lexicons = [one for one in found if isinstance(one, Lexicon) and one.feature == "begged_score"]
        message = self._table["message"]
        rated = given[given["source"] != "voice"].set_index("key")
        until = rated["invited_at"].where(rated["source"] == "desk", rated["answered_at"])
        said = message[message["author"].isin(("agent", "visitor")) & message["chat_id"].isin(rated.index)]
        said = said[said["sent_at"] <= said["chat_id"].map(until)]
        last = said.sort_values("message_id").groupby("chat_id").tail(self._defaults.rating.solicitation_messages)
        last = last[last["author"] == "agent"]
        begs = {text for text in last["text"].unique() if any(lexicon.find(text) for lexicon in lexicons)}
        chats = set(last.loc[last["text"].isin(begs), "chat_id"])
        return (given["source"] != "voice") & given["key"].isin(chats)

    def _rater_flags(self) -> dict[str, dict[str, str]]:
        """Returns the flags of those who score, from the reviews and forms of the last 90 days."""
        metrics = load_catalogue(PROJECT / "config").metrics
        since = self._scenario.end - timedelta(days=self._defaults.rho.doubles_window_days)
        flags: dict[str, set[str]] = defaultdict(set)
        sizes: dict[str, tuple[int, bool]] = {}
        scope = Scope("live", 0, self._scenario.as_of(self._scenario.end), "month", str(self._first), str(self._last))
        scored = {"qa_listening_score": self._reviews(since), "daily_appraisal_score": self._forms(since)}
        for metric_id, rows in scored.items():
            if not rows.opinions[metric_id]:
                continue
            profiles = raters._profiles(metrics[metric_id], rows, scope, self._defaults)
            for rater, one in profiles.items():
                flags[rater] |= {flag["flag"] for flag in one["flags"]}
                n, has_spread = sizes.get(rater, (0, False))
                sizes[rater] = max(n, one["n"]), has_spread or not np.isnan(one["sd_ratio"])
        by_rule: dict[str, dict[str, str]] = defaultdict(dict)
        for rater, (n, has_spread) in sizes.items():
            for rule in ("lenient", "severe", "halo", "central_tendency"):
                can_be = has_spread if rule == "central_tendency" else n >= self._defaults.rater.n
                by_rule[rule][rater] = "flagged" if rule in flags[rater] else "clear" if can_be else "not_enough_data"
        return by_rule

    def _reviews(self, since: date) -> Any:
        rows = raters._Rows()
        marks: list[list[float]] = []
        for review in self.world.tables["qa_review"].to_pylist():
            day = review["contact_at"].astimezone(self._scenario.zone).date()
            if day < since:
                continue
            key = str(review["review_id"])
            contact = f"{review['channel']} {review['contact_id']}"
            rows.opinions["qa_listening_score"].append(
                (key, contact, review["agent_key"], review["reviewer_key"], "", day, day >= self._first,
                 review["is_blind"], review["score"])
            )  # fmt: skip
            rows.review[key] = len(marks)
            marks.append([np.nan if mark is None else mark / 10 for mark in review["item_scores"]])
        rows.marks = np.array([*marks, [np.nan] * len(marks[0])]) if marks else rows.marks
        return rows

    def _forms(self, since: date) -> Any:
        rows = raters._Rows()
        forms = self._paper["daily_form"]
        columns = ["teamwork_score", "initiative_score", "attendance_score"]
        forms = forms[(forms["form_kind"] == "daily_appraisal") & (forms["form_date"] >= since)]
        for form, score in zip(forms.to_dict("records"), forms[columns].mean(axis=1), strict=True):
            contact = f"{form['employee_number']} {form['form_date']}"
            rows.opinions["daily_appraisal_score"].append(
                (form["form_id"], contact, form["employee_number"], form["rater_number"], "", form["form_date"],
                 form["form_date"] >= self._first, False, score)
            )  # fmt: skip
        return rows
