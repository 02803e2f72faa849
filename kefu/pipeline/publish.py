"""Publication: results become visible in one transaction, after the gates (DESIGN 4.9)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from bi.spec import load_contract
from kefu.pipeline.context import Platform, Scope
from kefu.warehouse import Role, WarehouseError

# Where each published table comes from: {kpi}, {core} ... stand for the schemas of the calculation. The columns are
# those of the contract that dashboards are checked against.
_QUERIES = {
    # The target is that of the period's last day; of a definition that no longer holds none is shown.
    "pub_kpi.metric_definition": "select m.*, m.metric_version as version, t.start_value"
    " + coalesce((t.end_value - t.start_value) * (p.period_end - t.valid_from) / t.ramp_days, 0) as target,"
    " t.tolerance"
    " from {staging}.stg_cfg__metric_version as m cross join {staging}.stg_cfg__period as p"
    " left join {staging}.stg_cfg__metric_target as t on m.metric_id = t.metric_id"
    " and p.period_end between t.valid_from and t.valid_to and p.period_start between m.valid_from and m.valid_to",
    "pub_kpi.team": "select * from {staging}.stg_cfg__team",
    "pub_kpi.queue": "select * from {staging}.stg_cfg__queue",
    "pub_kpi.agent": "select agent_key, agent_name, team_key from {core}.dim_agent, {staging}.stg_cfg__period as p"
    " where valid_from <= p.period_end and valid_to >= p.period_end",
    "pub_kpi.metric_value": "select * from {kpi}.metric_value",
    "pub_kpi.driver_tree": "select * from {kpi}.driver_tree",
    "pub_kpi.target_attainment": "select * from {kpi}.target_attainment",
    "pub_kpi.workload_balance": "select * from {kpi}.workload_balance",
    "pub_kpi.bot_mix": "select * from {kpi}.bot_mix",
    "pub_kpi.enquiry_funnel": "select * from {kpi}.enquiry_funnel",
    "pub_kpi.list_utilisation": "select * from {kpi}.list_utilisation",
    "pub_kpi.coaching_effect": "select * from {operations}.coaching_effect",
    # The last sample of each queue up to the end of the period: gauges of the moment, never used for pay.
    "pub_kpi.live_sample": "select distinct on (source_id, queue_source_id, queue_account) s.*"
    " from {core}.fct_live_sample as s cross join {staging}.stg_cfg__period as p"
    " where s.business_date <= p.period_end order by source_id, queue_source_id, queue_account, sampled_at desc",
    "pub_kpi.decline_signal": "select * from {appraisal}.decline_signal where is_open",
    "pub_kpi.common_issue": "select * from {appraisal}.common_issue",
    "pub_kpi.coaching_queue": "select * from {appraisal}.coaching_queue",
    "pub_kpi.best_practice": "select * from {appraisal}.best_practice",
    "pub_kpi.decline_coverage": "select * from {appraisal}.decline_coverage",
    "pub_kpi.metric_reliability": "select r.*, p.name_zh as cohort_name_zh, p.name_en as cohort_name_en"
    " from {appraisal}.metric_reliability as r join {staging}.stg_cfg__plan as p on r.plan_id = p.plan_id",
    "pub_appraisal.score": "select * from {appraisal}.score",
    "pub_appraisal.score_component": "select * from {appraisal}.score_component where is_adjusted",
    "pub_operations.integrity_finding": "select f.*, r.rule_name_zh, r.rule_name_en, r.owner_role"
    " from {appraisal}.integrity_finding as f join {staging}.stg_cfg__integrity_rule as r on f.rule_id = r.rule_id",
    "pub_operations.row_rule": "select * from {appraisal}.row_rule_coverage",
    "pub_operations.contradiction": "select * from {operations}.contradiction",
    "pub_operations.reconciliation": "select * from {operations}.reconciliation",
    "pub_operations.lateness": "select * from {operations}.lateness",
    "pub_operations.coverage": "select * from {operations}.coverage",
    "pub_operations.rater_profile": "select * from {appraisal}.rater_profile",
    "pub_operations.collection_todo": "select * from {appraisal}.collection_todo",
    "pub_operations.double_scoring": "select * from {appraisal}.double_scoring",
    "pub_operations.calibration": "select * from {appraisal}.calibration",
    "pub_operations.dispute_rate": "select * from {appraisal}.dispute_rate",
    "pub_operations.rater_overturn": "select * from {appraisal}.rater_overturn",
    "pub_operations.quality_result": "select *, jsonb_array_length(failing_keys) as failing_count"
    " from ops.quality_result where calc_id = {calc_id}",
    # The newest load of each entity; when it ran says nothing about the results, so it is not part of their hash;
    # neither is what the wall clock measured of lateness.
    "pub_operations.load_status": "select distinct on (source_id, entity) source_id, entity, completed_at as loaded_at,"
    " read_count, inserted_count, unchanged_count, filtered_count, quarantined_count from ops.load"
    " order by source_id, entity, load_id desc",
}
_PUBLICATION = "pub_operations.publication"
_VOLATILE = {"pub_operations.load_status", "pub_operations.lateness", _PUBLICATION}
# A failed critical gate keeps the previous publication; any other failed gate withholds the appraisal only.
_CRITICAL_GATES = {"critical_checks"}
# How PostgreSQL spells out what the contract abbreviates.
_SPELLED_OUT = {"timestamptz": "timestamp with time zone"}
_LAYERS = ("staging", "intermediate", "core", "kpi", "appraisal", "operations")


class PublicationRefused(WarehouseError):
    """A critical gate failed and the previous publication stays; the message names the gate."""


@dataclass(frozen=True)
class Published:
    """What is visible now. `changed` lists the tables whose rows were replaced."""

    publication_id: int
    content_hash: str
    changed: list[str]
    withheld: list[str]


def publish(platform: Platform, scope: Scope) -> Published:
    """Replaces what changed in `pub_*` in one transaction and records the publication.

    Raises:
        PublicationRefused: when a critical gate failed; readers then see the old numbers under a banner.
    """
    contract = load_contract()
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        _create_tables(connection, contract)
        gates = connection.execute(
            sql.SQL("select gate, is_passed, detail_zh, detail_en from {} order by gate").format(
                sql.Identifier(scope.schema("appraisal"), "close_gate")
            )
        ).fetchall()
        critical = [gate for gate in gates if not gate[1] and gate[0] in _CRITICAL_GATES]
        if critical:
            _banner(connection, [gate[2] for gate in critical], [gate[3] for gate in critical])
            connection.commit()
            raise PublicationRefused(
                "the previous publication stays, because: " + "; ".join(f"{gate[0]}: {gate[3]}" for gate in critical)
            )
        withheld = [gate[0] for gate in gates if not gate[1]]
        changed, hashes = [], []
        for table, query in _QUERIES.items():
            columns = contract[table]
            hide = bool(withheld) and table.startswith("pub_appraisal.")
            source = _source(scope, query, columns, hide)
            if _replace(connection, table, columns, source):
                changed.append(table)
            if table not in _VOLATILE:
                hashes.append(_content_hash(connection, table, columns))
        content = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        publication_id = _record(connection, scope, content, gates, bool(withheld), contract)
        _grant(connection, contract)
    return Published(publication_id, content, changed, withheld)


def _create_tables(connection: Connection, contract: Mapping[str, Mapping[str, str]]) -> None:
    """Makes the published tables; one whose columns are no longer those of the contract is made anew."""
    for name, columns in contract.items():
        schema, table = name.split(".")
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        found = connection.execute(
            "select attname::text, atttypid::regtype::text from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            [name],
        ).fetchall()
        declared = [(column, _SPELLED_OUT.get(kind, kind)) for column, kind in columns.items()]
        if found == declared:
            continue
        identifier = sql.Identifier(schema, table)
        connection.execute(sql.SQL("drop table if exists {}").format(identifier))
        connection.execute(
            sql.SQL("create table {} ({})").format(
                identifier,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()
                ),
            )
        )


def _grant(connection: Connection, contract: Mapping[str, Mapping[str, str]]) -> None:
    for schema in sorted({name.split(".")[0] for name in contract}):
        name = sql.Identifier(schema)
        for statement in ("grant usage on schema {}", "grant select on all tables in schema {}"):
            connection.execute(sql.SQL(statement + " to kefu_bi, kefu_auditor").format(name))


def _source(scope: Scope, query: str, columns: Mapping[str, str], hide: bool) -> sql.Composed:
    schemas = {layer: sql.Identifier(scope.schema(layer)) for layer in _LAYERS}
    found = sql.SQL(query).format(calc_id=sql.Literal(scope.calc_id), **schemas)
    return sql.SQL("select {} from ({}) as found where {}").format(
        sql.SQL(", ").join(
            sql.SQL("{0}::{1} as {0}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()
        ),
        found,
        sql.Literal(not hide),
    )


def _replace(connection: Connection, name: str, columns: Mapping[str, str], source: sql.Composed) -> bool:
    """Replaces the rows of a table when they differ, as bags, from what it shows."""
    table = sql.Identifier(*name.split("."))
    connection.execute(sql.SQL("create temporary table fresh on commit drop as {}").format(source))
    row = connection.execute(
        sql.SQL(
            "select exists ((select * from fresh except all select * from {0})"
            " union all (select * from {0} except all select * from fresh))"
        ).format(table)
    ).fetchone()
    assert row is not None
    if row[0]:
        names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
        connection.execute(sql.SQL("delete from {}").format(table))
        connection.execute(sql.SQL("insert into {} ({}) select {} from fresh").format(table, names, names))
    connection.execute("drop table fresh")
    return bool(row[0])


def _content_hash(connection: Connection, name: str, columns: Mapping[str, str]) -> str:
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    row = connection.execute(
        sql.SQL(
            "select %s || ' ' || count(*) || ' ' || encode(sha256(convert_to(coalesce(string_agg(line, E'\\n'"
            " order by line collate \"C\"), ''), 'UTF8')), 'hex') from (select row({})::text as line from {}) as lines"
        ).format(names, sql.Identifier(*name.split("."))),
        [name],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _record(
    connection: Connection,
    scope: Scope,
    content_hash: str,
    gates: list[tuple[object, ...]],
    withheld: bool,
    contract: Mapping[str, Mapping[str, str]],
) -> int:
    """Records a publication unless the last one showed the same; returns its number."""
    mode = connection.execute(
        sql.SQL("select period_mode from {}").format(sql.Identifier(scope.schema("staging"), "stg_cfg__period"))
    ).fetchone()
    assert mode is not None
    listed = [{"gate": g[0], "is_passed": g[1], "detail_zh": g[2], "detail_en": g[3]} for g in gates]
    last = connection.execute(
        "select publication_id, data_cut, as_of, content_hash from ops.publication order by publication_id desc limit 1"
    ).fetchone()
    if last and last[1:] == (scope.data_cut, scope.as_of, content_hash):
        number = int(last[0])
    else:
        row = connection.execute(
            "insert into ops.publication (data_cut, as_of, period_id, period_mode, config_hash, content_hash, gates,"
            " withheld) values (%s, %s, %s, %s, %s, %s, %s, %s) returning publication_id",
            [
                scope.data_cut, scope.as_of, scope.period_id, mode[0], config_hash(connection, scope), content_hash,
                Jsonb(listed), withheld,
            ],
        ).fetchone()  # fmt: skip
        assert row is not None
        number = int(row[0])
    table = sql.Identifier(*_PUBLICATION.split("."))
    connection.execute(sql.SQL("delete from {}").format(table))
    connection.execute(
        sql.SQL("insert into {} ({}) values (%s, %s, %s, %s, %s, %s, %s)").format(
            table, sql.SQL(", ").join(sql.Identifier(column) for column in contract[_PUBLICATION])
        ),
        [
            number, scope.data_cut, scope.as_of, mode[0],
            Jsonb({str(g[0]): "passed" if g[1] else str(g[3]) for g in gates}),
            "有检查未通过，绩效得分暂不公布" if withheld else None,
            "A check failed, so scores are withheld" if withheld else None,
        ],
    )  # fmt: skip
    return number


def _banner(connection: Connection, zh: list[str], en: list[str]) -> None:
    connection.execute(
        sql.SQL("update {} set banner_zh = %s, banner_en = %s").format(sql.Identifier(*_PUBLICATION.split("."))),
        ["数据停留在上一次发布：" + "；".join(zh), "Numbers are those of the last publication: " + "; ".join(en)],
    )


def config_hash(connection: Connection, scope: Scope) -> str:
    """Returns the SHA-256 over every configuration version in effect when the period starts."""
    row = connection.execute(
        "select encode(sha256(convert_to(string_agg(concat_ws(' ', kind, object_id, version, content_hash), E'\\n'"
        " order by kind, object_id, version), 'UTF8')), 'hex') from (select distinct on (kind, object_id) kind,"
        " object_id, version, content_hash from cfg.object_version where valid_from <= %s::date"
        " order by kind, object_id, version desc) as current",
        [scope.period_start],
    ).fetchone()
    assert row is not None
    return str(row[0])
