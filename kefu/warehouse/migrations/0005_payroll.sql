-- What payroll keeps of a closed appraisal: written by security definer functions, never changed (DESIGN 4.8).
do $$
declare
    login text;
begin
    foreach login in array array['kefu_hr_approver', 'kefu_payroll_clerk'] loop
        if not exists (select 1 from pg_roles where rolname = login) then
            execute format('create role %I login', login);
        end if;
        execute format('grant connect on database %I to %I', current_database(), login);
    end loop;
    -- People have logins of their own and are members of it.
    execute format('grant connect on database %I to kefu_payroll', current_database());
end $$;
grant kefu_payroll to kefu_hr_approver;
grant usage on schema payroll to kefu_payroll_clerk;

-- One row per version of a period that was locked, in the order of the chain.
create table payroll.close (
    period_id text not null,
    version integer not null check (version > 0),
    chain_position integer not null unique,
    period_start date not null,
    period_end date not null,
    period_mode text not null check (period_mode in ('demo', 'real')),
    data_cut bigint not null,
    as_of timestamptz not null,
    -- Every plan of the period with version, hash of its contents and approver.
    plans jsonb not null,
    -- SHA-256 over the versions of everything that says how to calculate, and over all configuration there was.
    definition_hash text not null,
    config_hash text not null,
    row_count integer not null,
    -- Sum over the rows that have an amount; the others are counted beside it, because no amount is not 0.
    amount_fen bigint not null,
    rows_without_amount integer not null,
    amount_fen_by_team jsonb not null,
    -- SHA-256 of the canonical CSV, of the lines behind its scores, and of the trust they rest on.
    content_hash text not null,
    component_hash text not null,
    trust_hash text not null,
    -- The head of the audit chain when the version was locked.
    audit_position bigint not null,
    audit_hash text not null,
    previous_manifest_hash text not null,
    restatement_reason text,
    calculated_by text not null,
    reviewed_by text not null,
    approved_by text not null,
    locked_by text not null,
    locked_at timestamptz not null,
    -- The columns above as the text that is signed and delivered, and its SHA-256.
    manifest text not null,
    manifest_hash text not null unique,
    primary key (period_id, version)
);

create table payroll.snapshot (
    period_id text not null,
    version integer not null,
    agent_key text collate "C" not null,
    agent_name text,
    team_key text,
    plan_id text not null,
    plan_version integer not null,
    cohort_key text,
    definition_hash text not null,
    data_cut bigint not null,
    status text not null,
    worked_share numeric(14, 10),
    composite numeric(8, 2),
    composite_before_gates numeric(8, 2),
    composite_unadjusted numeric(8, 2),
    interval_low numeric(8, 2),
    interval_high numeric(8, 2),
    grade text,
    own_data_weight numeric(8, 2) not null,
    coefficient numeric(14, 10),
    base_fen bigint,
    bonus_fen bigint,
    piece_fen bigint,
    adjustment_fen bigint,
    -- Taken off while something is under review; the lines before it less this make the amount.
    held_fen bigint,
    pool_share numeric(14, 10),
    -- NULL: no amount was determined, e.g. because the score is under review; payroll pays nothing by this row.
    amount_fen bigint,
    check_min_wage boolean,
    -- Both rows as they were calculated, reasons and gates included.
    score jsonb not null,
    payment jsonb not null,
    -- SHA-256 over all columns above.
    row_hash text not null,
    primary key (period_id, version, agent_key),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.snapshot_component (
    period_id text not null,
    version integer not null,
    agent_key text collate "C" not null,
    plan_id text not null,
    metric_id text not null,
    -- Whether the trust in metrics moved weights; the lines without it explain composite_unadjusted.
    is_adjusted boolean not null,
    metric_version integer,
    nominal_weight numeric not null,
    weight_factor numeric,
    effective_weight numeric not null,
    raw_value numeric,
    n bigint,
    scored_value numeric,
    curve_score numeric,
    points numeric not null,
    reason_zh text not null,
    reason_en text not null,
    -- The whole row as it was calculated.
    details jsonb not null,
    primary key (period_id, version, agent_key, plan_id, metric_id, is_adjusted),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.snapshot_reliability (
    period_id text not null,
    version integer not null,
    plan_id text not null,
    plan_version integer,
    metric_id text not null,
    cohort_key text collate "C" not null,
    state text not null,
    n bigint,
    f_resp numeric,
    f_bias numeric,
    f_agree numeric,
    f_clean numeric,
    f_cover numeric,
    rho numeric,
    binding_component text,
    g_current numeric,
    g_announced numeric,
    g_next numeric,
    weight_factor numeric,
    is_overridden boolean,
    reason_zh text,
    reason_en text,
    details jsonb not null,
    primary key (period_id, version, plan_id, metric_id, cohort_key),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.snapshot_estimate (
    period_id text not null,
    version integer not null,
    metric_id text not null,
    cohort_key text collate "C" not null,
    agent_key text collate "C" not null,
    n bigint not null,
    total numeric,
    primary key (period_id, version, metric_id, cohort_key, agent_key),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

-- Where a version of a period stands: its last row. No row is the state `open`.
create table payroll.transition (
    transition_id bigint generated always as identity primary key,
    period_id text not null,
    version integer not null check (version > 0),
    state text not null check (state in (
        'cut', 'calculated', 'reviewed', 'published', 'dispute_window', 'approved', 'locked', 'exported',
        'acknowledged'
    )),
    actor text not null,
    happened_at timestamptz not null,
    data_cut bigint not null,
    as_of timestamptz not null,
    config_hash text,
    definition_hash text,
    -- SHA-256 of what was calculated; every later state is refused when the calculation no longer hashes to it.
    result_hash text,
    -- When the dispute window ends.
    due_at timestamptz,
    -- Why data was cut again, or the reason of a restatement.
    reason_code text check (
        reason_code in ('late_data', 'source_fix', 'defect', 'dispute', 'refund', 'fraud_confirmed')
    ),
    reason text
);

create table payroll.export (
    period_id text not null,
    version integer not null,
    manifest_hash text not null,
    -- Ed25519 over the manifest, base64; the key that checks it, PEM.
    signature text not null,
    public_key text not null,
    exported_by text not null,
    exported_at timestamptz not null,
    primary key (period_id, version),
    foreign key (period_id, version) references payroll.close
);

-- Every transition, override, dispute, correction and export. A hash covers the whole row and the hash before it.
create table payroll.audit (
    position bigint primary key check (position > 0),
    happened_at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    detail jsonb not null,
    previous_hash text not null,
    hash text not null
);

create view payroll.closed_period as
select distinct on (period_id)
    period_id,
    version,
    period_end,
    period_mode
from payroll.close
order by period_id, version desc;

-- Makes a table append-only for every login, the owner included.
create function payroll.make_append_only(p_table regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    name text := (select relname from pg_class where oid = p_table);
begin
    execute format(
        'create trigger %I before update or delete on %s for each row execute function ops.refuse_change()',
        name || '_append_only', p_table
    );
    execute format(
        'create trigger %I before truncate on %s for each statement execute function ops.refuse_change()',
        name || '_no_truncate', p_table
    );
end $$;
revoke all on function payroll.make_append_only from public;

select payroll.make_append_only(name::regclass)
from unnest(array[
    'payroll.close', 'payroll.snapshot', 'payroll.snapshot_component', 'payroll.snapshot_reliability',
    'payroll.snapshot_estimate', 'payroll.transition', 'payroll.export', 'payroll.audit'
]) as tables (name);

create function payroll.sha256_hex(p_text text) returns text
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select encode(sha256(convert_to(p_text, 'UTF8')), 'hex')
$$;

-- The only clock of the close; no argument ever says what time it is.
create function payroll.clock() returns timestamptz
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select clock_timestamp()
$$;

-- The hash of an audit row as its columns say now.
create function payroll.audit_hash(p_row payroll.audit) returns text
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select sha256_hex((to_jsonb(p_row) - 'hash')::text)
$$;

create function payroll.write_audit(p_action text, p_object text, p_detail jsonb) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    last audit;
    new audit;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.audit'));
    select * into last from audit order by position desc limit 1;
    new.position := coalesce(last.position, 0) + 1;
    new.happened_at := clock();
    new.actor := session_user;
    new.action := p_action;
    new.object := p_object;
    new.detail := p_detail;
    new.previous_hash := coalesce(last.hash, repeat('0', 64));
    new.hash := audit_hash(new);
    insert into audit values (new.*);
end $$;
revoke all on function payroll.write_audit from public;

create function payroll.row_hash(p_row payroll.snapshot) returns text
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select sha256_hex((to_jsonb(p_row) - 'row_hash')::text)
$$;

create function payroll.fill_row_hash() returns trigger
language plpgsql set search_path = payroll, pg_temp as $$
begin
    new.row_hash := row_hash(new);
    return new;
end $$;
create trigger snapshot_row_hash before insert on payroll.snapshot
for each row execute function payroll.fill_row_hash();

-- A field of the CSV: quoted when a comma, a quote or a line end is in it; NULL is empty.
create function payroll.csv_field(p_text text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case
        when p_text is null then ''
        when p_text ~ '[",\r\n]' then '"' || replace(p_text, '"', '""') || '"'
        else p_text
    end
$$;

-- The one canonical form of a snapshot: UTF-8, LF, header, sorted by HR id, fixed columns; NULL is empty.
create function payroll.canonical_csv(p_period_id text, p_version integer) returns text
language sql stable set search_path = payroll, pg_temp as $$
    select
        'period_id,version,agent_key,team_key,plan_id,plan_version,definition_hash,data_cut,status,worked_share,composite,'
        || 'composite_before_gates,composite_unadjusted,grade,own_data_weight,coefficient,base_fen,bonus_fen,piece_fen,'
        || E'adjustment_fen,held_fen,pool_share,amount_fen,check_min_wage,row_hash\n'
        || coalesce(
            string_agg(
                concat_ws(
                    ',', period_id, version, csv_field(agent_key), csv_field(team_key), csv_field(plan_id),
                    plan_version, definition_hash, data_cut, csv_field(status), csv_field(trim_scale(worked_share)::text),
                    csv_field(composite::text), csv_field(composite_before_gates::text),
                    csv_field(composite_unadjusted::text), csv_field(grade), own_data_weight,
                    csv_field(trim_scale(coefficient)::text), csv_field(base_fen::text), csv_field(bonus_fen::text),
                    csv_field(piece_fen::text), csv_field(adjustment_fen::text), csv_field(held_fen::text),
                    csv_field(trim_scale(pool_share)::text), csv_field(amount_fen::text),
                    csv_field(check_min_wage::text), row_hash
                ) || E'\n',
                '' order by agent_key
            ),
            ''
        )
    from snapshot
    where period_id = p_period_id and version = p_version
$$;

-- SHA-256 over the lines behind the scores, sorted by key. Each line is hashed by itself, so that any number fits.
create function payroll.component_hash(p_period_id text, p_version integer) returns text
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select sha256_hex(coalesce(string_agg(
        sha256_hex(to_jsonb(c)::text), E'\n' order by agent_key, plan_id collate "C", metric_id collate "C", is_adjusted
    ), ''))
    from snapshot_component as c
    where period_id = p_period_id and version = p_version
$$;

-- SHA-256 over the reliability of metrics and the counts of agents that a version leaves for later periods.
create function payroll.trust_hash(p_period_id text, p_version integer) returns text
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select sha256_hex(coalesce(string_agg(hash, E'\n' order by hash collate "C"), ''))
    from (
        select sha256_hex('reliability' || to_jsonb(r)::text) as hash
        from snapshot_reliability as r
        where period_id = p_period_id and version = p_version
        union all
        select sha256_hex('estimate' || to_jsonb(e)::text) as hash
        from snapshot_estimate as e
        where period_id = p_period_id and version = p_version
    ) as lines
$$;

-- The manifest as the columns say now: JSON in one fixed layout, instants in UTC.
create function payroll.manifest(p_close payroll.close) returns text
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select jsonb_pretty(
        to_jsonb(p_close) - 'manifest' - 'manifest_hash' || '{"format": "kefu payroll manifest 1"}'
    ) || E'\n'
$$;

-- Makes sure that reading a relation of a calculation runs no code with the rights of the owner: a plain table of
-- built-in types, without row security and children, whose indexes and constraints call nothing of somebody's own
-- (planning alone runs that). The lock keeps it what it is until the transaction ends.
create function payroll.lock_plain_table(p_schema text, p_table text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found pg_class;
begin
    if to_regclass(format('%I.%I', p_schema, p_table)) is null then
        raise exception '%.% does not exist', p_schema, p_table using hint = 'calculate the period again';
    end if;
    execute format('lock table %I.%I in access share mode', p_schema, p_table);
    select * into found from pg_class where oid = to_regclass(format('%I.%I', p_schema, p_table));
    if found.relkind <> 'r' or found.relrowsecurity or found.relhasrules or found.relhassubclass or exists (
        select 1 from pg_attribute as a join pg_type as t on a.atttypid = t.oid
        where a.attrelid = found.oid and a.attnum > 0 and not a.attisdropped
            and t.typnamespace <> 'pg_catalog'::regnamespace
    ) or exists (
        -- What comes with the server is pinned and has no entry here.
        select 1 from pg_depend as d
        where d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass) and (d.classid, d.objid) in (
            select 'pg_class'::regclass::oid, indexrelid from pg_index where indrelid = found.oid
            union all
            select 'pg_constraint'::regclass::oid, oid from pg_constraint where conrelid = found.oid
        )
    ) then
        raise exception '%.% is not a plain table', p_schema, p_table using hint = 'calculate the period again';
    end if;
end $$;
revoke all on function payroll.lock_plain_table from public;

grant select on payroll.closed_period to kefu_transformer, kefu_payroll, kefu_auditor, kefu_payroll_clerk;
grant select on payroll.close to kefu_transformer;
grant select on payroll.close, payroll.snapshot, payroll.export, payroll.transition, payroll.audit
to kefu_payroll_clerk;
