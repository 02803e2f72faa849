-- What texts say (never the texts), results of the integrity tests, and what people decided about them.

-- One row per text in which a lexicon found something. The excerpt is masked; the text itself stays in the vault.
create table ops.text_feature (
    source_id text not null,
    entity text not null,
    message_key text collate "C" not null,
    field text not null,
    load_seq bigint not null,
    feature text not null,
    version integer not null,
    value integer not null check (value > 0),
    excerpt text not null,
    primary key (source_id, entity, message_key, field, load_seq, feature, version)
);

-- Which texts a version of a lexicon has read: without this, no hit could not be told from not looked at.
create table ops.text_reading (
    source_id text not null,
    entity text not null,
    field text not null,
    feature text not null,
    version integer not null,
    from_load_seq bigint not null,
    to_load_seq bigint not null,
    text_count bigint not null,
    hit_count bigint not null,
    read_at timestamptz not null default clock_timestamp(),
    primary key (source_id, entity, field, feature, version, to_load_seq)
);

select payroll.make_append_only(name::regclass) from unnest(array['ops.text_feature', 'ops.text_reading']) as t (name);
grant usage on schema ops, cfg to kefu_text;
grant select on ops.load to kefu_text;
grant select on cfg.object_version to kefu_text;
grant select, insert on ops.text_feature, ops.text_reading to kefu_text;
grant select on ops.text_feature, ops.text_reading to kefu_transformer;

-- Results of the tests of reliability.md 2, one set per calculation. NULL: could not be computed.
create table stats.integrity_result (
    calc_id text not null,
    period_id text not null,
    rule_id text not null,
    metric_id text not null,
    cohort_key text not null,
    agent_key text not null,
    n bigint not null,
    observed numeric,
    expected numeric,
    p_value numeric,
    q_value numeric,
    is_flagged boolean not null,
    state text not null check (state in ('tested', 'not_enough_data', 'not_evaluated')),
    details jsonb not null,
    primary key (calc_id, period_id, rule_id, metric_id, agent_key)
);
grant select, insert, delete on stats.integrity_result to kefu_transformer;

-- A decision is a new row; the last one of a finding counts.
create table ops.integrity_decision (
    decision_id bigint generated always as identity primary key,
    period_id text not null,
    agent_key text not null,
    rule_id text not null,
    metric_id text not null,
    verdict text not null check (verdict in ('confirmed', 'dismissed')),
    reason text not null check (length(btrim(reason)) >= 10),
    decided_by text not null default session_user,
    decided_at timestamptz not null default clock_timestamp()
);
select payroll.make_append_only('ops.integrity_decision');
grant select on ops.integrity_decision to kefu_transformer;

-- Only what a test has flagged can be decided, and the login that decides is the one that is signed in.
create function ops.decide_integrity(
    p_period_id text, p_agent_key text, p_rule_id text, p_metric_id text, p_verdict text, p_reason text
) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made bigint;
begin
    if not exists (
        select 1 from stats.integrity_result
        where period_id = p_period_id and agent_key = p_agent_key and rule_id = p_rule_id
            and metric_id = p_metric_id and is_flagged
    ) then
        raise exception 'no test has flagged % of % on % in %', p_rule_id, p_agent_key, p_metric_id, p_period_id
            using hint = 'see kefu integrity list';
    end if;
    insert into ops.integrity_decision (period_id, agent_key, rule_id, metric_id, verdict, reason, decided_by)
    values (p_period_id, p_agent_key, p_rule_id, p_metric_id, p_verdict, p_reason, session_user)
    returning decision_id into made;
    return made;
end $$;
revoke all on function ops.decide_integrity from public;
grant execute on function ops.decide_integrity to kefu_payroll;
