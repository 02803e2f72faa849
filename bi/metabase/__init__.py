"""Dashboards in Metabase: compiled payloads, a careful client, plan and apply.

The free edition has no translated names, so each language has its own collection, cards and dashboards. YAML and
SQL are the truth: `apply` changes only what differs, a second run changes nothing, and nothing is ever deleted.
"""

from bi.metabase.client import Metabase, MetabaseError, register_database, setup, wait_for_sync
from bi.metabase.payloads import Desired, compile_site
from bi.metabase.reconcile import Change, Result, apply, plan

__all__ = [
    "Change",
    "Desired",
    "Metabase",
    "MetabaseError",
    "Result",
    "apply",
    "compile_site",
    "plan",
    "register_database",
    "setup",
    "wait_for_sync",
]
