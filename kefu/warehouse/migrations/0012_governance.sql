-- Who looked at pay and scores, and what is taken away when its time is over (reliability.md 8).

-- --- the access log --------------------------------------------------------------------------------------------------

-- One row for each reading by the product, committed before a row of pay or score is read.
create table payroll.access (
    access_id bigint generated always as identity primary key,
    -- The login that is connected, authenticated; the account of the machine is what the program says.
    login text not null,
    account text not null,
    accessed_at timestamptz not null,
    command text not null,
    -- Where the rows were read: a relation, or the folder of pages that a close wrote.
    mart text not null,
    -- NULL: of every period.
    period_id text,
    -- HR id; `all` for everybody's rows.
    agent_key text collate "C" not null,
    -- NULL: not said, as only the recordings of a demo allow.
    purpose text check (length(purpose) >= 5)
);
select payroll.make_append_only('payroll.access');

create function payroll.record_access(
    p_command text, p_mart text, p_period_id text, p_agent_keys text[], p_purpose text, p_account text
) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    written access;
begin
    if p_purpose is null and exists (
        select 1 from cfg.object_version
        where kind = 'period' and body ->> 'mode' = 'real' and object_id = coalesce(p_period_id, object_id)
    ) then
        raise exception 'pay of a real period is read for a purpose, and none is given'
            using hint = 'say it with --purpose; it is kept in the access log';
    end if;
    for written in
        insert into access (login, account, accessed_at, command, mart, period_id, agent_key, purpose)
        select session_user, p_account, clock(), p_command, p_mart, p_period_id, agent_key, p_purpose
        from unnest(p_agent_keys) as agents (agent_key)
        returning *
    loop
        perform write_audit('read', 'access ' || written.access_id, to_jsonb(written));
    end loop;
end $$;
revoke all on function payroll.record_access from public;
grant execute on function payroll.record_access to kefu_auditor, kefu_payroll, kefu_payroll_clerk;

-- Logins that can read pay or scores by SQL of their own. A table cannot log that: whoever reads may roll back. So the
-- server writes their statements into its log, which no login can switch off. Left out: who builds the tables, dbt's
-- login and the owner.
create view payroll.sql_reader as
select
    r.rolname as login,
    exists (
        select 1 from pg_db_role_setting as s
        where s.setrole = r.oid and s.setdatabase = 0 and 'log_statement=all' = any(s.setconfig)
    ) as is_logged
from pg_roles as r
where r.rolcanlogin and not r.rolsuper and r.rolname <> 'kefu_transformer'
    and r.oid <> (select nspowner from pg_namespace where nspname = 'payroll')
    and exists (
        select 1 from pg_class as c
        join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname in ('payroll', 'pub_appraisal') and c.relkind in ('r', 'v')
            and c.relname in ('snapshot', 'closed_score', 'adjustment', 'score', 'score_component')
            and has_schema_privilege(r.oid, n.oid, 'usage') and has_any_column_privilege(r.oid, c.oid, 'select')
    );

-- Called by every migration run, so that logins made since are logged too.
create function payroll.log_sql_readers() returns void
language plpgsql set search_path = payroll, pg_temp as $$
declare
    reader text;
begin
    for reader in select login from sql_reader where not is_logged order by login loop
        execute format('alter role %I set log_statement = ''all''', reader);
    end loop;
exception when insufficient_privilege then
    -- An owner without the right to; `kefu payroll access` names the logins.
    null;
end $$;
revoke all on function payroll.log_sql_readers from public;

-- --- the end of retention --------------------------------------------------------------------------------------------

-- What was taken away. Of scores one row per version of a period; the manifest keeps counts, sums and hashes.
create table payroll.erasure (
    erasure_id bigint generated always as identity primary key,
    part text not null check (part in ('scores', 'row_evidence')),
    period_id text,
    version integer,
    -- Row evidence goes by age: of loads completed before this instant.
    loaded_before timestamptz,
    -- Rows by table.
    counts jsonb not null,
    -- SHA-256 of what went: of scores the content that the manifest names, of row evidence of its rows.
    content_hash text not null,
    -- What trust_hash() gives without the counts of agents.
    kept_hash text,
    -- By the defaults of the day; wage records are never kept for less.
    months integer not null check (months >= 24),
    erased_by text not null,
    erased_at timestamptz not null,
    unique (period_id, version),
    foreign key (period_id, version) references payroll.close,
    check ((part = 'scores') = (period_id is not null and version is not null and kept_hash is not null)),
    check ((part = 'row_evidence') = (loaded_before is not null))
);
select payroll.make_append_only('payroll.erasure');

create function payroll.may_be_erased_at(p_period_end date, p_months integer) returns timestamptz
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select (p_period_end + 1 + make_interval(months => p_months)) at time zone 'UTC'
$$;

-- Append-only, but for what an erasure names: it is recorded first.
create function payroll.refuse_all_but_erasure() returns trigger
language plpgsql set search_path = payroll, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        if tg_table_schema = 'payroll' then
            if exists (
                select 1 from erasure as e where e.period_id = old.period_id and e.version = old.version
            ) then
                return old;
            end if;
        elsif exists (
            select 1 from ops.load as l join erasure as e on l.completed_at < e.loaded_before
            where l.load_seq = old.load_seq
        ) then
            return old;
        end if;
    end if;
    raise exception '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op
        using hint = 'write a new version instead; what is past its retention is erased by `kefu purge`';
end $$;

do $$
declare
    name text;
    erasable regclass;
begin
    foreach erasable in array array[
        'payroll.snapshot', 'payroll.snapshot_component', 'payroll.snapshot_estimate', 'ops.text_feature'
    ]::regclass[] loop
        name := (select relname from pg_class where oid = erasable) || '_append_only';
        execute format('drop trigger %I on %s', name, erasable);
        execute format(
            'create trigger %I before update or delete on %s for each row'
            ' execute function payroll.refuse_all_but_erasure()', name, erasable
        );
    end loop;
end $$;

-- What was erased cannot be calculated against any more: a restatement would pay everything once again.
create function payroll.refuse_erased() returns trigger
language plpgsql set search_path = payroll, pg_temp as $$
begin
    if exists (select 1 from erasure as e where e.period_id = new.period_id) then
        raise exception 'period % is past its retention and was erased', new.period_id
            using hint = 'its manifest and payroll''s own files are what is left of it';
    end if;
    return new;
end $$;
create trigger transition_of_what_is_there before insert on payroll.transition
for each row execute function payroll.refuse_erased();
create trigger dispute_of_what_is_there before insert on payroll.dispute
for each row execute function payroll.refuse_erased();

-- Takes away the rows of every version of a closed period whose time is over; none when they are gone already.
create function payroll.erase_scores(p_period_id text) returns setof payroll.erasure
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    today constant jsonb := jsonb_build_object('start', clock()::date);
    months constant integer := number_of(today, 'retention', 'scores');
    last transition;
    sealed close;
    problems text[] := '{}';
    found_ids text;
    written erasure;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.close'));
    if exists (select 1 from erasure as e where e.period_id = p_period_id) then
        return;
    end if;
    last := current_state(p_period_id);
    if last.state is null or last.state not in ('locked', 'exported', 'acknowledged') then
        problems := problems || format('it is %s, and only a closed period is erased', coalesce(last.state, 'open'));
    end if;
    if clock() < may_be_erased_at((period_body(p_period_id) ->> 'end')::date, months) then
        problems := problems || format(
            'it ends on %s, and scores are kept %s months', period_body(p_period_id) ->> 'end', months
        );
    end if;
    select string_agg(dispute_id::text, ', ' order by dispute_id) into found_ids
    from dispute_status where period_id = p_period_id and is_open;
    if found_ids is not null then
        problems := problems || format('these disputes are open: %s', found_ids);
    end if;
    select string_agg(a.adjustment_id::text, ', ' order by a.adjustment_id) into found_ids
    from adjustment as a
    left join adjustment_decision as d on a.adjustment_id = d.adjustment_id
    left join adjustment_period as fixed on a.adjustment_id = fixed.adjustment_id
    left join closed_period as paid on fixed.to_period_id = paid.period_id
    where a.period_id = p_period_id and a.delta_fen is distinct from 0 and d.is_approved is distinct from false
        and paid.period_id is null;
    if found_ids is not null then
        problems := problems || format('these corrections of it are not paid or refused: %s', found_ids);
    end if;
    if problems <> '{}' then
        raise exception 'period % is not erased: %', p_period_id, array_to_string(problems, '; ')
            using hint = 'wait, or settle it: `kefu dispute list --open`, `kefu payroll corrections`';
    end if;
    for sealed in select c.* from close as c where c.period_id = p_period_id order by c.version loop
        if sealed.content_hash <> sha256_hex(canonical_csv(p_period_id, sealed.version))
            or sealed.component_hash <> component_hash(p_period_id, sealed.version)
            or sealed.trust_hash <> trust_hash(p_period_id, sealed.version)
        then
            raise exception 'period % was tampered with and is not erased', p_period_id using hint = 'call the auditor';
        end if;
        insert into erasure (part, period_id, version, counts, content_hash, kept_hash, months, erased_by, erased_at)
        select
            'scores', p_period_id, sealed.version,
            jsonb_build_object(
                'snapshot', sealed.row_count,
                'snapshot_component', (
                    select count(*) from snapshot_component as s
                    where s.period_id = p_period_id and s.version = sealed.version
                ),
                'snapshot_estimate', (
                    select count(*) from snapshot_estimate as s
                    where s.period_id = p_period_id and s.version = sealed.version
                )
            ),
            sealed.content_hash,
            sha256_hex(coalesce(string_agg(kept.hash, E'\n' order by kept.hash collate "C"), '')),
            months, session_user, clock()
        from (
            select sha256_hex('reliability' || to_jsonb(r)::text) as hash
            from snapshot_reliability as r
            where r.period_id = p_period_id and r.version = sealed.version
        ) as kept
        returning * into written;
        delete from snapshot as s where s.period_id = p_period_id and s.version = sealed.version;
        delete from snapshot_component as s where s.period_id = p_period_id and s.version = sealed.version;
        delete from snapshot_estimate as s where s.period_id = p_period_id and s.version = sealed.version;
        perform write_audit('erase', 'erasure ' || written.erasure_id, to_jsonb(written));
        return next written;
    end loop;
end $$;
revoke all on function payroll.erase_scores from public;

-- Takes away excerpts of texts and the payloads of settled quarantine records whose time is over, of nothing that a
-- restatement or an open dispute may still ask for; no row when there are none.
create function payroll.erase_row_evidence() returns setof payroll.erasure
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    today constant jsonb := jsonb_build_object('start', clock()::date);
    months constant integer := number_of(today, 'retention', 'row_evidence');
    lookback constant integer := number_of(today, 'period', 'lookback');
    asked_for constant date := (
        select min((period_body(asked.period_id) ->> 'start')::date)
        from (
            (
                select c.period_id from closed_period as c
                where not exists (select 1 from erasure as e where e.period_id = c.period_id)
                order by c.period_end desc
                limit lookback
            )
            union
            select period_id from dispute_status where is_open
            union
            select period_id from transition
            group by period_id
            having (current_state(period_id)).state not in ('locked', 'exported', 'acknowledged')
        ) as asked
    );
    until constant timestamptz := least(clock() - make_interval(months => months), asked_for::timestamptz);
    quarantined bigint[];
    written erasure;
begin
    select array_agg(q.quarantine_id order by q.quarantine_id) into quarantined
    from ops.quarantine as q
    join ops.load as l on coalesce(q.resolved_load_id, q.first_load_id) = l.load_id
    where q.status <> 'open' and l.completed_at < until and q.payload_encrypted <> '';
    insert into erasure (part, loaded_before, counts, content_hash, months, erased_by, erased_at)
    select
        'row_evidence', until,
        jsonb_build_object('text_feature', count(*), 'quarantine', coalesce(cardinality(quarantined), 0)),
        sha256_hex(
            coalesce(string_agg(line.hash, E'\n' order by line.hash collate "C"), '') || coalesce((
                select string_agg(encode(q.payload_digest, 'hex'), E'\n' order by q.quarantine_id)
                from ops.quarantine as q where q.quarantine_id = any(quarantined)
            ), '')
        ),
        months, session_user, clock()
    from ops.text_feature as f
    join ops.load as l on f.load_seq = l.load_seq
    cross join lateral (select sha256_hex(to_jsonb(f)::text) as hash) as line
    where l.completed_at < until
    having count(*) > 0 or quarantined is not null
    returning * into written;
    if not found then
        return;
    end if;
    delete from ops.text_feature as f
    using ops.load as l where f.load_seq = l.load_seq and l.completed_at < until;
    update ops.quarantine as q set payload_encrypted = '', found = '' where q.quarantine_id = any(quarantined);
    perform write_audit('erase', 'erasure ' || written.erasure_id, to_jsonb(written));
    return next written;
end $$;
revoke all on function payroll.erase_row_evidence from public;

-- --- what verify() asks ----------------------------------------------------------------------------------------------

-- Rows of these tables as verify() compares them with the audit.
create function payroll.other_recorded() returns table (object text, row_now jsonb)
language sql stable set search_path = payroll, pg_temp set timezone = 'UTC' as $$
    select 'waiver ' || waiver_id, to_jsonb(w) from waiver as w
    union all
    select 'fallback decision ' || fallback_decision_id, to_jsonb(f) from fallback_decision as f
    union all
    select 'login ' || login_person_id, to_jsonb(p) from login_person as p
    union all
    select 'dispute ' || dispute_id, to_jsonb(d) from dispute as d
    union all
    select 'dispute event ' || dispute_event_id, to_jsonb(e) from dispute_event as e
    union all
    select 'row exclusion ' || exclusion_id, to_jsonb(x) from ops.row_exclusion as x
    union all
    select 'correction ' || adjustment_id, to_jsonb(a) from adjustment as a
    union all
    select 'correction decision ' || adjustment_id, to_jsonb(d) from adjustment_decision as d
    union all
    select 'correction period ' || adjustment_id, to_jsonb(p) from adjustment_period as p
    union all
    select 'override ' || override_id, to_jsonb(o) from ops.reliability_override as o
    union all
    select 'trust waiver ' || waiver_id, to_jsonb(w) from ops.reliability_waiver as w
    union all
    select 'trust waiver approval ' || waiver_id, to_jsonb(a) from ops.reliability_waiver_approval as a
    union all
    select 'integrity decision ' || decision_id, to_jsonb(d) from ops.integrity_decision as d
    union all
    select 'access ' || access_id, to_jsonb(a) from access as a
    union all
    select 'erasure ' || erasure_id, to_jsonb(e) from erasure as e
$$;
revoke all on function payroll.other_recorded from public;

-- Everything that no longer is what was recorded, the first broken link first; no row when all is whole.
create function payroll.verify()
returns table (part text, object text, problem text)
language plpgsql stable security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
#variable_conflict use_column
begin
    return query
    with ordered as (
        select
            a.*,
            audit_hash(a) as hash_now,
            row_number() over (order by position) as expected_position,
            coalesce(lag(hash) over (order by position), repeat('0', 64)) as hash_before
        from audit as a
    )
    select
        'audit', 'entry ' || position,
        case
            when position <> expected_position then 'an entry before it is missing'
            when previous_hash <> hash_before then 'does not follow on the entry before it'
            else 'was changed after it was written'
        end
    from ordered
    where position <> expected_position or previous_hash <> hash_before or hash <> hash_now
    order by position;

    return query
    with recorded (object, row_now) as (
        select 'transition ' || transition_id, to_jsonb(t) from transition as t
        union all
        select format('export %s v%s', period_id, version), to_jsonb(e) from export as e
        union all
        select o.object, o.row_now from other_recorded() as o (object, row_now)
    ),
    logged as (
        select object, detail from audit where action <> 'seal'
    )
    select
        'record', coalesce(recorded.object, logged.object),
        case
            when recorded.object is null then 'was removed'
            when logged.object is null then 'has no entry in the audit'
            else 'is not what the audit says'
        end
    from recorded
    full join logged on recorded.object = logged.object
    where recorded.row_now is distinct from logged.detail
    order by 2;

    return query
    select 'snapshot', format('%s v%s %s', period_id, version, agent_key), 'was changed after it was locked'
    from snapshot as s
    where row_hash <> row_hash(s)
    order by period_id, version, agent_key;

    return query
    with ordered as (
        select
            c.*,
            format('%s v%s', period_id, version) as name,
            row_number() over (order by chain_position) as expected_position,
            coalesce(lag(manifest_hash) over (order by chain_position), repeat('0', 64)) as hash_before
        from close as c
    ),
    checked as (
        select
            o.chain_position, o.name, found.number, found.part, found.problem
        from ordered as o
        join close as c on o.period_id = c.period_id and o.version = c.version
        left join erasure as e on o.period_id = e.period_id and o.version = e.version
        cross join lateral (
            values
            (
                1, 'snapshot', 'its rows are not those of the manifest',
                case
                    when e.erasure_id is null then o.content_hash = sha256_hex(canonical_csv(o.period_id, o.version))
                    else not exists (
                        select 1 from snapshot as s where s.period_id = o.period_id and s.version = o.version
                    )
                end
            ),
            (
                2, 'component', 'the lines behind its scores are not those of the manifest',
                case
                    when e.erasure_id is null then o.component_hash = component_hash(o.period_id, o.version)
                    else not exists (
                        select 1 from snapshot_component as s
                        where s.period_id = o.period_id and s.version = o.version
                    )
                end
            ),
            (
                3, 'trust', 'the reliability behind its scores is not that of the manifest',
                coalesce(e.kept_hash, o.trust_hash) = trust_hash(o.period_id, o.version)
            ),
            (4, 'manifest', 'was changed after it was locked', o.manifest = manifest(c)),
            (5, 'manifest', 'does not hash to what was locked', o.manifest_hash = sha256_hex(o.manifest)),
            (
                6, 'chain', 'does not follow on the manifest before it',
                o.chain_position = o.expected_position and o.previous_manifest_hash = o.hash_before
            ),
            (
                7, 'chain', 'the audit no longer holds the entry it was locked with',
                exists (select 1 from audit as a where a.position = o.audit_position and a.hash = o.audit_hash)
            ),
            (
                8, 'signature', 'was made for another manifest',
                not exists (
                    select 1 from export as x
                    where x.period_id = o.period_id and x.version = o.version and x.manifest_hash <> o.manifest_hash
                )
            ),
            (
                9, 'erasure', 'was before its time, or of something else than was locked',
                e.erasure_id is null
                or (e.erased_at >= payroll.may_be_erased_at(o.period_end, e.months) and e.content_hash = o.content_hash)
            )
        ) as found (number, part, problem, is_whole)
        where not found.is_whole
    )
    select part, name, problem from checked order by chain_position, number;
end $$;
revoke all on function payroll.verify from public;
grant execute on function payroll.verify to kefu_payroll, kefu_auditor, kefu_payroll_clerk;

do $$
declare
    signature regprocedure;
begin
    for signature in
        select oid::regprocedure from pg_proc
        where pronamespace = 'payroll'::regnamespace
            and proname in ('refuse_all_but_erasure', 'refuse_erased')
    loop
        execute format('revoke all on function %s from public', signature);
    end loop;
end $$;
