-- The closed appraisal: written once by security definer functions, never changed (DESIGN 4.8).
create table payroll.close (
    period_id text not null,
    version integer not null,
    period_start date not null,
    period_end date not null,
    period_mode text not null check (period_mode in ('demo', 'real')),
    data_cut bigint not null,
    as_of timestamptz not null,
    config_hash text not null,
    row_count integer not null,
    -- SHA-256 of the canonical CSV and of the lines behind its scores; that of the manifest covers both, the columns
    -- above and the manifest before it.
    content_hash text not null,
    component_hash text not null,
    previous_manifest_hash text not null,
    manifest_hash text not null unique,
    closed_by text not null,
    closed_at timestamptz not null,
    primary key (period_id, version)
);

create table payroll.snapshot (
    period_id text not null,
    version integer not null,
    agent_key text collate "C" not null,
    plan_id text not null,
    plan_version integer not null,
    status text not null,
    composite numeric(8, 2),
    composite_unadjusted numeric(8, 2),
    grade text,
    own_data_weight numeric(8, 2) not null,
    primary key (period_id, version, agent_key, plan_id),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.snapshot_component (
    period_id text not null,
    version integer not null,
    agent_key text collate "C" not null,
    plan_id text not null,
    metric_id text not null,
    metric_version integer,
    nominal_weight numeric not null,
    weight_factor numeric,
    effective_weight numeric not null,
    raw_value numeric,
    n bigint,
    scored_value numeric,
    curve_score numeric,
    points numeric not null,
    reason_en text not null,
    primary key (period_id, version, agent_key, plan_id, metric_id),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.audit (
    audit_id bigint generated always as identity primary key,
    happened_at timestamptz not null default clock_timestamp(),
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
    period_end
from payroll.close
order by period_id, version desc;

do $$
declare
    name text;
begin
    foreach name in array array['close', 'snapshot', 'snapshot_component', 'audit'] loop
        execute format(
            'create trigger %I before update or delete on payroll.%I for each row execute function ops.refuse_change()',
            name || '_append_only', name
        );
        execute format(
            'create trigger %I before truncate on payroll.%I for each statement execute function ops.refuse_change()',
            name || '_no_truncate', name
        );
    end loop;
end $$;

create function payroll.write_audit(p_action text, p_object text, p_detail jsonb) returns void
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    before text;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.audit'));
    select hash into before from audit order by audit_id desc limit 1;
    before := coalesce(before, repeat('0', 64));
    insert into audit (actor, action, object, detail, previous_hash, hash)
    values (
        session_user, p_action, p_object, p_detail, before,
        encode(sha256(convert_to(concat_ws('|', before, session_user, p_action, p_object, p_detail), 'UTF8')), 'hex')
    );
end $$;
revoke all on function payroll.write_audit from public;

-- The one canonical form of a snapshot: UTF-8, LF, header, sorted by agent, fixed columns; NULL is empty.
create function payroll.canonical_csv(p_period_id text, p_version integer) returns text
language sql stable set search_path = payroll, pg_temp as $$
    select
        'period_id,version,agent_key,plan_id,plan_version,status,composite,composite_unadjusted,grade,own_data_weight'
        || E'\n'
        || coalesce(
            string_agg(
                concat_ws(
                    ',', period_id, version, agent_key, plan_id, plan_version, status,
                    coalesce(composite::text, ''), coalesce(composite_unadjusted::text, ''), coalesce(grade, ''),
                    own_data_weight
                ) || E'\n',
                '' order by agent_key, plan_id
            ),
            ''
        )
    from snapshot
    where period_id = p_period_id and version = p_version
$$;

-- SHA-256 over the canonical form of the lines behind the scores; a text is quoted, so that no two lines look alike.
create function payroll.component_hash(p_period_id text, p_version integer) returns text
language sql stable set search_path = payroll, pg_temp as $$
    select encode(sha256(convert_to(coalesce(string_agg(
        jsonb_build_array(
            agent_key, plan_id, metric_id, metric_version, nominal_weight, weight_factor, effective_weight, raw_value,
            n, scored_value, curve_score, points, reason_en
        )::text || E'\n',
        '' order by agent_key, plan_id, metric_id
    ), ''), 'UTF8')), 'hex')
    from snapshot_component
    where period_id = p_period_id and version = p_version
$$;

-- The hash of a manifest as its columns say now; differs from manifest_hash when somebody changed one of them.
create function payroll.manifest_hash(p_close payroll.close) returns text
language sql stable set search_path = payroll, pg_temp as $$
    select encode(sha256(convert_to(concat_ws(
        '|', p_close.previous_manifest_hash, p_close.period_id, p_close.version, p_close.period_start,
        p_close.period_end, p_close.period_mode, p_close.data_cut,
        to_char(p_close.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), p_close.config_hash,
        p_close.row_count, p_close.content_hash, p_close.component_hash
    ), 'UTF8')), 'hex')
$$;

-- Makes sure that reading a relation of a calculation runs no code with the rights of the owner: a plain table of
-- built-in types without row security. The lock keeps it what it is until the transaction ends.
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
    if found.relkind <> 'r' or found.relrowsecurity or found.relhasrules or exists (
        select 1 from pg_attribute as a join pg_type as t on a.atttypid = t.oid
        where a.attrelid = found.oid and a.attnum > 0 and not a.attisdropped
            and t.typnamespace <> 'pg_catalog'::regnamespace
    ) then
        raise exception '%.% is not a plain table', p_schema, p_table using hint = 'calculate the period again';
    end if;
end $$;
revoke all on function payroll.lock_plain_table from public;

-- Copies the results of a calculation schema into the snapshot and seals it. The caller is the checker: the login
-- that applied a plan cannot close a period with it.
create function payroll.close_period(
    p_period_id text, p_calc_schema text, p_data_cut bigint, p_as_of timestamptz, p_config_hash text
) returns text
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    required constant text[] := array[
        'agents_mapped', 'critical_checks', 'effective_weights_sum_to_100', 'plan_approved', 'quarantine_settled',
        'reconciliation', 'reliability_evaluated', 'weights_sum_to_100'
    ];
    -- The period as it was applied, never as the calculation tells it.
    period jsonb;
    problem text;
    sealed close;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.close'));
    if exists (select 1 from close where period_id = p_period_id) then
        raise exception 'period % is already closed', p_period_id
            using hint = 'a closed period never changes; a correction is a restatement with a version of its own';
    end if;
    if p_calc_schema !~ '^calc_[a-z0-9_]+$' then
        raise exception 'schema % is not a calculation schema', p_calc_schema;
    end if;
    select body into period from cfg.object_version
    where kind = 'period' and object_id = p_period_id order by version desc limit 1;
    if not found then
        raise exception 'period % is not applied', p_period_id using hint = 'run `kefu config apply` first';
    end if;
    perform lock_plain_table(p_calc_schema, name)
    from unnest(array['close_gate', 'score', 'score_component']) as n (name);
    -- A gate that is missing or unknown has not been passed.
    execute format(
        'select string_agg(r.gate || '': '' || coalesce(g.detail_en, ''was not evaluated''), ''; '' order by r.gate)'
        ' from unnest($1) as r (gate) left join %I.close_gate as g on r.gate = g.gate where g.is_passed is not true',
        p_calc_schema
    ) into problem using required;
    if problem is not null then
        raise exception 'period % cannot be closed: %', p_period_id, problem
            using hint = 'settle each of these, then calculate again';
    end if;
    select string_agg(distinct o.object_id, ', ') into problem
    from cfg.object_version as o
    where o.kind = 'plan' and o.applied_by = session_user
        and period -> 'plan_ids' ? o.object_id;
    if problem is not null then
        raise exception '% applied plan % and cannot close a period with it', session_user, problem
            using hint = 'the checker is somebody else than the maker';
    end if;
    select string_agg(distinct o.object_id, ', ') into problem
    from cfg.object_version as o
    where o.kind = 'plan' and o.body ->> 'mode' = 'demo' and period -> 'plan_ids' ? o.object_id;
    if period ->> 'mode' = 'real' and problem is not null then
        raise exception 'period % is real and cannot be closed with the demo plan %', p_period_id, problem;
    end if;
    execute format(
        'insert into payroll.snapshot select period_id, 1, agent_key, plan_id, plan_version, status, composite,'
        ' composite_unadjusted, grade, own_data_weight from %I.score where period_id = $1', p_calc_schema
    ) using p_period_id;
    get diagnostics sealed.row_count = row_count;
    if sealed.row_count = 0 then
        raise exception 'period % has no scores to close', p_period_id;
    end if;
    execute format(
        'insert into payroll.snapshot_component select period_id, 1, agent_key, plan_id, metric_id, metric_version,'
        ' nominal_weight, weight_factor, effective_weight, raw_value, n, scored_value, curve_score, points, reason_en'
        ' from %I.score_component where period_id = $1 and is_adjusted', p_calc_schema
    ) using p_period_id;
    sealed.period_id := p_period_id;
    sealed.version := 1;
    sealed.period_start := period ->> 'start';
    sealed.period_end := period ->> 'end';
    sealed.period_mode := period ->> 'mode';
    sealed.data_cut := p_data_cut;
    sealed.as_of := p_as_of;
    sealed.config_hash := p_config_hash;
    sealed.content_hash := encode(sha256(convert_to(canonical_csv(p_period_id, 1), 'UTF8')), 'hex');
    sealed.component_hash := component_hash(p_period_id, 1);
    select c.manifest_hash into sealed.previous_manifest_hash from close as c order by c.closed_at desc limit 1;
    sealed.previous_manifest_hash := coalesce(sealed.previous_manifest_hash, repeat('0', 64));
    sealed.manifest_hash := manifest_hash(sealed);
    sealed.closed_by := session_user;
    sealed.closed_at := clock_timestamp();
    insert into close values (sealed.*);
    perform write_audit(
        'close', p_period_id || ' v1',
        jsonb_build_object('manifest_hash', sealed.manifest_hash, 'row_count', sealed.row_count)
    );
    return sealed.manifest_hash;
end $$;
revoke all on function payroll.close_period from public;
grant execute on function payroll.close_period to kefu_payroll;
grant select on payroll.closed_period, payroll.close to kefu_transformer;
grant select on payroll.closed_period to kefu_payroll, kefu_auditor;
