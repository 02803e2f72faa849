"""Every edit of a snapshot, a manifest, a signature, the chain, the audit or a delivered file is found and named."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pytest

from kefu.payroll import Broken, Close, CloseRefused, broken, close_period, disputes, export, verify
from kefu.payroll.delivery import fingerprint, sign
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.payroll.fabricated import Agent, Calculation, calculating, installation, query

FIRST, SECOND = "2026_10_demo", "2026_11_demo"
AGENTS = [Agent("CS1001", Decimal("84.96"), "B", 120_000), Agent("CS1002", Decimal("91.20"), "A", 150_050, "team_b")]
LOGINS = [role for role in Role if role is not Role.OWNER]


@pytest.fixture(scope="module")
def delivered(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Close]]:
    """Two closed periods, the second of which is looked at; an override was decided in between."""
    platform = installation(
        settings, "t_tampering", tmp_path_factory.mktemp("tampering"),
        [{"period_id": FIRST, "start": "2026-10-05", "end": "2026-10-31", "as_of": "2026-11-10T00:00:00Z"}, {}],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(AGENTS)):
        close_period(platform, FIRST)
        query(
            platform,
            "insert into ops.reliability_override (metric_id, cohort_key, period_id, weight_factor, reason)"
            f" values ('csat_rate', 'demo_v1/agent', '{SECOND}', 1, 'a test')",
            Role.PLAN_APPROVER,
        )
        query(
            platform,
            "insert into ops.reliability_waiver (metric_id, cohort_key, period_id, weight_factor, reason)"
            f" values ('csat_rate', 'demo_v1/agent', '{SECOND}', 1, 'a test')",
            Role.PLAN_AUTHOR,
        )
        query(platform, "insert into ops.reliability_waiver_approval (waiver_id) values (1)", Role.PLAN_APPROVER)
        query(
            platform,
            "insert into ops.integrity_decision (period_id, agent_key, rule_id, metric_id, verdict, reason)"
            f" values ('{SECOND}', 'CS1001', 'I1', 'csat_rate', 'confirmed', 'as a test shows')",
        )
        disputes.person(platform, Role.HR_APPROVER, "CS9001")
        yield platform, close_period(platform, SECOND)


# --- in the warehouse ------------------------------------------------------------------------------------------------

OF_CS1001 = f"where period_id = '{SECOND}' and agent_key = 'CS1001'"
REHASH_ROW = f"update payroll.snapshot as s set row_hash = payroll.row_hash(s) {OF_CS1001}"
REHASH_CONTENT = (
    "update payroll.close set content_hash = payroll.sha256_hex(payroll.canonical_csv(period_id, version))"
    f" where period_id = '{SECOND}'"
)
REWRITE_MANIFEST = f"update payroll.close as c set manifest = payroll.manifest(c) where period_id = '{SECOND}'"
REHASH_MANIFEST = f"update payroll.close set manifest_hash = payroll.sha256_hex(manifest) where period_id = '{SECOND}'"
EDITS: dict[str, tuple[str, list[str]]] = {
    "a composite": ("snapshot", [f"update payroll.snapshot set composite = composite + 1 {OF_CS1001}"]),
    "an amount": ("snapshot", [f"update payroll.snapshot set amount_fen = amount_fen + 1 {OF_CS1001}"]),
    "a reason of pay": ("snapshot", [f"update payroll.snapshot set payment = payment || '{{\"x\": 1}}' {OF_CS1001}"]),
    "a row less": ("snapshot", [f"delete from payroll.snapshot {OF_CS1001}"]),
    "a row more": (
        "snapshot",
        [
            "insert into payroll.snapshot select (jsonb_populate_record(s, '{\"agent_key\": \"CS9999\"}')).*"
            f" from payroll.snapshot as s {OF_CS1001}"
        ],
    ),
    "an amount with its hash": (
        "snapshot",
        [f"update payroll.snapshot set amount_fen = amount_fen + 1 {OF_CS1001}", REHASH_ROW],
    ),
    "an amount with all hashes below the manifest": (
        "manifest",
        [f"update payroll.snapshot set amount_fen = amount_fen + 1 {OF_CS1001}", REHASH_ROW, REHASH_CONTENT],
    ),
    "an amount with all hashes and the manifest": (
        "signature",
        [
            f"update payroll.snapshot set amount_fen = amount_fen + 1 {OF_CS1001}", REHASH_ROW, REHASH_CONTENT,
            REWRITE_MANIFEST, REHASH_MANIFEST,
        ],
    ),
    "a line of a score": ("component", [f"update payroll.snapshot_component set points = points + 1 {OF_CS1001}"]),
    "a reason of a line": ("component", [f"update payroll.snapshot_component set reason_en = 'no' {OF_CS1001}"]),
    "the reliability": ("trust", ["update payroll.snapshot_reliability set rho = 0.5"]),
    "a count of ratings": ("trust", ["update payroll.snapshot_estimate set n = n + 1"]),
    "the data cut of a manifest": ("manifest", ["update payroll.close set data_cut = 99"]),
    "who approved": ("manifest", ["update payroll.close set approved_by = 'kefu_plan_author'"]),
    "the text of a manifest": ("manifest", ["update payroll.close set manifest = replace(manifest, 'demo', 'real')"]),
    "the first manifest, rewritten": (
        "chain",
        [
            f"update payroll.close set row_count = 3 where period_id = '{FIRST}'",
            f"update payroll.close as c set manifest = payroll.manifest(c) where period_id = '{FIRST}'",
            f"update payroll.close set manifest_hash = payroll.sha256_hex(manifest) where period_id = '{FIRST}'",
        ],
    ),
    "the first close, removed": (
        "chain",
        [
            f"delete from payroll.export where period_id = '{FIRST}'",
            f"delete from payroll.snapshot where period_id = '{FIRST}'",
            f"delete from payroll.close where period_id = '{FIRST}'",
        ],
    ),
    "the actor of an audit entry": ("audit", ["update payroll.audit set actor = 'somebody' where position = 3"]),
    "the time of an audit entry": (
        "audit", ["update payroll.audit set happened_at = happened_at - interval '1 day' where position = 3"],
    ),
    "an audit entry with its hash": (
        "audit",
        [
            "update payroll.audit set action = 'nothing' where position = 3",
            "update payroll.audit as a set hash = payroll.audit_hash(a) where position = 3",
        ],
    ),
    "an audit entry less": ("audit", ["delete from payroll.audit where position = 3"]),
    "the last audit entry": (
        "record", ["delete from payroll.audit where position = (select max(position) from payroll.audit)"],
    ),
    "who reviewed": ("record", ["update payroll.transition set actor = 'kefu_hr_approver' where state = 'reviewed'"]),
    "a transition less": ("record", ["delete from payroll.transition where state = 'reviewed'"]),
    "a transition nobody made": (
        "record",
        [
            "insert into payroll.transition (period_id, version, state, actor, happened_at, data_cut, as_of)"
            f" values ('{SECOND}', 1, 'acknowledged', 'kefu_payroll_clerk', now(), 1, now())"
        ],
    ),
    "an override": ("record", ["update ops.reliability_override set weight_factor = 0"]),
    "a waiver of trust": ("record", ["update ops.reliability_waiver set weight_factor = 0"]),
    "who approved a waiver of trust": ("record", ["update ops.reliability_waiver_approval set approved_by = 'x'"]),
    "a decision about a finding": ("record", ["update ops.integrity_decision set verdict = 'dismissed'"]),
    "who read pay": ("record", ["update payroll.access set login = 'kefu_auditor'"]),
    "a reading less": ("record", ["delete from payroll.access"]),
    "an erasure nobody recorded": (
        "record",
        [
            "insert into payroll.erasure (part, period_id, version, counts, content_hash, kept_hash, months, erased_by,"
            f" erased_at) select 'scores', period_id, version, '{{}}', content_hash, '', 24, 'postgres', now() from"
            f" payroll.close where period_id = '{SECOND}'"
        ],
    ),
    "whose login it is": ("record", ["update payroll.login_person set agent_key = 'CS9999'"]),
    "the signature that left the house": ("record", ["update payroll.export set signature = 'x'"]),
}  # fmt: skip


@contextmanager
def edited(platform: Platform, statements: list[str]) -> Iterator[psycopg.Connection]:
    """A warehouse changed as only the owner can, with every trigger switched off; nothing of it stays."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount > 0, statement
        yield connection
        connection.rollback()


@pytest.mark.parametrize("what", EDITS)
def test_the_warehouse_names_what_the_owner_edited(delivered: tuple[Platform, Close], what: str) -> None:
    platform = delivered[0]
    assert broken(platform) == []
    part, statements = EDITS[what]
    with edited(platform, statements) as connection:
        found = connection.execute("select * from payroll.verify()").fetchall()
    assert part in {link for link, _, _ in found}, found


OF_SEALED = [what for what, (part, _) in EDITS.items() if part in ("snapshot", "component", "trust", "manifest")]


@pytest.mark.parametrize("what", OF_SEALED)
def test_nothing_tampered_with_is_exported(delivered: tuple[Platform, Close], what: str) -> None:
    platform, result = delivered
    with edited(platform, EDITS[what][1]) as connection, pytest.raises(psycopg.errors.RaiseException, match="tampered"):
        connection.execute(
            "select payroll.record_export(%s, 1, %s, 's', 'k')", [SECOND, result.manifest_hash]
        )  # fmt: skip


def test_an_export_stops_before_a_file_is_written(delivered: tuple[Platform, Close], copy_of: Copy) -> None:
    platform = copy_of(delivered[0], "t_tampered")
    query(
        platform,
        "set session_replication_role = replica; update payroll.snapshot set amount_fen = 1; reset"
        " session_replication_role",
    )
    with pytest.raises(CloseRefused, match="tampered with and is not exported"):
        export(platform, SECOND)
    assert not (platform.settings.kefu_data_dir / "payroll").exists()


APPEND_ONLY = [
    "close", "snapshot", "snapshot_component", "snapshot_reliability", "snapshot_estimate", "transition", "export",
    "audit", "waiver", "fallback_decision", "login_person", "dispute", "dispute_event", "adjustment",
    "adjustment_decision", "adjustment_period", "access", "erasure",
]  # fmt: skip


def test_locked_tables_refuse_every_change_by_every_login(delivered: tuple[Platform, Close]) -> None:
    """Invariant 10, and TRUNCATE."""
    platform = delivered[0]
    tables = query(
        platform, "select relname from pg_class where relnamespace = 'payroll'::regnamespace and relkind = 'r'"
    )
    assert sorted(table for (table,) in tables) == sorted(APPEND_ONLY)
    columns = {
        table: query(
            platform,
            f"select attname from pg_attribute where attrelid = 'payroll.{table}'::regclass and attnum = 2",
        )[0][0]
        for table in APPEND_ONLY
    }
    changes = {
        table: [
            f"update payroll.{table} set {column} = {column}", f"delete from payroll.{table}",
            f"truncate payroll.{table} cascade",
        ]
        for table, column in columns.items()
    }  # fmt: skip
    for login in [*LOGINS, Role.OWNER]:
        refused = psycopg.errors.RaiseException if login is Role.OWNER else psycopg.errors.InsufficientPrivilege
        with platform.warehouse.connect(login) as connection:
            for table, statements in changes.items():
                count = (
                    connection.execute(f"select 1 from payroll.{table}".encode()).rowcount if login is Role.OWNER else 1
                )
                own = [] if login is Role.OWNER else [f"insert into payroll.{table} default values"]
                for statement in [*(statements if count else statements[2:]), *own]:
                    with pytest.raises(refused), connection.transaction():
                        connection.execute(statement.encode())


# --- in the delivered folder -----------------------------------------------------------------------------------------


def _replace(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / f"DEMO_{name}"
        body = path.read_bytes()
        assert old in body
        path.write_bytes(body.replace(old, new, 1))

    return change


def _cell(folder: Path) -> None:
    path = folder / "DEMO_appraisal.xlsx"
    book = openpyxl.load_workbook(path)
    book.worksheets[0]["K2"] = 99
    book.save(path)


def _sheet(folder: Path) -> None:
    path = folder / "DEMO_appraisal.xlsx"
    book = openpyxl.load_workbook(path)
    book.create_sheet("notes")
    book.save(path)


def _signed_by_another(folder: Path) -> None:
    signature, public = sign("11" * 32, (folder / "DEMO_manifest.json").read_text(encoding="utf-8"))
    (folder / "DEMO_manifest.sig").write_text(signature)
    (folder / "DEMO_public_key.pem").write_text(public)


def _everything_rewritten(folder: Path) -> None:
    _replace("appraisal.csv", b"120000", b"220000")(folder)
    manifest = json.loads((folder / "DEMO_manifest.json").read_text(encoding="utf-8"))
    manifest["content_hash"] = hashlib.sha256((folder / "DEMO_appraisal.csv").read_bytes()).hexdigest()
    (folder / "DEMO_manifest.json").write_text(json.dumps(manifest))
    _signed_by_another(folder)


def _chain_without_its_first(folder: Path) -> None:
    path = folder / "DEMO_chain.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))[1:]), encoding="utf-8")


DELIVERED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "an amount": ("csv", _replace("appraisal.csv", b"120000", b"120001")),
    "a line end": ("csv", _replace("appraisal.csv", b"\n", b"\r\n")),
    "an empty file": ("csv", lambda folder: (folder / "DEMO_appraisal.csv").write_bytes(b"") and None),
    "a cell": ("xlsx", _cell),
    "a sheet": ("xlsx", _sheet),
    "a file that is no workbook": ("xlsx", lambda folder: (folder / "DEMO_appraisal.xlsx").write_text("x") and None),
    "a sum of the manifest": ("manifest", _replace("manifest.json", b"270050", b"270051")),
    "the mode of the manifest": ("manifest", _replace("manifest.json", b'"demo"', b'"real"')),
    "the signature": (
        "signature", lambda folder: (folder / "DEMO_manifest.sig").write_text(base64.b64encode(b"0" * 64).decode())
        and None,
    ),
    "a signature that is none": ("signature", lambda folder: (folder / "DEMO_manifest.sig").write_text("?") and None),
    "a first manifest of the chain": ("chain", _replace("chain.json", b"2026-10-31", b"2026-10-30")),
    "a chain without its first": ("chain", _chain_without_its_first),
    "another signer": ("public key", _signed_by_another),
    "everything, by another signer": ("public key", _everything_rewritten),
    "a file less": ("chain", lambda folder: (folder / "DEMO_chain.json").unlink()),
    "a file more": ("DEMO_bonus.csv", lambda folder: (folder / "DEMO_bonus.csv").write_text("x") and None),
}  # fmt: skip


@pytest.mark.parametrize("what", DELIVERED)
def test_the_offline_check_names_the_first_broken_link(
    delivered: tuple[Platform, Close], tmp_path: Path, what: str
) -> None:
    folder = shutil.copytree(delivered[1].folder, tmp_path / "received")
    key = (folder / "DEMO_public_key.pem").read_text()
    assert verify(folder, key)["content_hash"] == delivered[1].content_hash
    link, change = DELIVERED[what]
    change(folder)
    with pytest.raises(Broken) as found:
        verify(folder, key)
    assert found.value.link == link, str(found.value)


def test_the_key_signs_outside_the_warehouse_and_the_project(delivered: tuple[Platform, Close]) -> None:
    platform, result = delivered
    secret = platform.settings.kefu_signing_key.get_secret_value()
    assert len(bytes.fromhex(secret)) == 32
    [(stored,)] = query(platform, f"select public_key from payroll.export where period_id = '{SECOND}'")
    assert (result.folder / "DEMO_public_key.pem").read_text() == stored
    assert fingerprint(stored) == fingerprint(sign(secret, "x")[1])
    texts = query(platform, "select to_jsonb(e)::text from payroll.export as e")
    assert not any(secret in text for (text,) in texts)


def test_the_command_names_the_broken_link_and_fails(
    delivered: tuple[Platform, Close], tmp_path: Path, capsys: Any
) -> None:
    from typer.testing import CliRunner

    from kefu.cli import app

    folder = shutil.copytree(delivered[1].folder, tmp_path / "received")
    whole = CliRunner().invoke(app, ["payroll", "verify", str(folder)])
    assert whole.exit_code == 0 and delivered[1].content_hash in whole.output.replace("\n", "")
    DELIVERED["an amount"][1](folder)
    refused = CliRunner().invoke(app, ["payroll", "verify", str(folder)])
    assert refused.exit_code == 1 and "broken csv: it hashes to" in refused.output
