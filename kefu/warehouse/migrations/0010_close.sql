-- The states of a close, restatements and disputes: security definer functions that compare logins (session_user),
-- never arguments, and write every step into the audit.

-- --- what people decide beside the states ---------------------------------------------------------------------------

-- A person accepted that a plan was approved only after its period began, or that a source did not tell its last days.
create table payroll.waiver (
    waiver_id bigint generated always as identity primary key,
    period_id text not null,
    precondition text not null check (precondition in ('plan_approved_in_time', 'sources_fresh')),
    -- What was loaded when somebody looked at a gate; more data asks again. NULL: about the plan, whatever is loaded.
    data_cut bigint,
    reason text not null check (length(reason) >= 5),
    waived_by text not null,
    waived_at timestamptz not null,
    check ((precondition = 'sources_fresh') = (data_cut is not null))
);

-- Somebody accepted what the plan pays an agent without enough evidence; a manager and HR both do (reliability.md 4.3).
create table payroll.fallback_decision (
    fallback_decision_id bigint generated always as identity primary key,
    period_id text not null,
    agent_key text collate "C" not null,
    -- What was accepted; a calculation with another coefficient needs other decisions. NULL: a plan without pay.
    coefficient numeric,
    is_hr boolean not null,
    reason text not null check (length(reason) >= 5),
    decided_by text not null,
    decided_at timestamptz not null
);

-- Which person a login belongs to: nobody decides about a score he gave or got. The last row of a login counts.
create table payroll.login_person (
    login_person_id bigint generated always as identity primary key,
    login text not null,
    agent_key text not null,
    recorded_by text not null,
    recorded_at timestamptz not null
);

create table payroll.dispute (
    dispute_id bigint generated always as identity primary key,
    period_id text not null,
    -- The version of the period that was in force when it was submitted; is_locked says whether it still could change.
    version integer not null,
    is_locked boolean not null,
    agent_key text not null,
    object_kind text not null check (object_kind in ('row', 'metric', 'gate', 'composite')),
    row_kind text check (row_kind in ('rating', 'review', 'attendance')),
    row_key text,
    metric_id text,
    -- Of a gate the verified fact behind it.
    fact_key text,
    -- HR id of the person whose score, or of a gate whose report, is disputed; NULL when no person gave it.
    scorer_key text,
    -- HR id of the person who verified the fact behind a gate; NULL for other objects and while nobody has.
    verifier_key text,
    claim text not null check (length(claim) >= 5),
    submitted_by text not null,
    submitted_at timestamptz not null,
    -- Of a dispute that came by a sheet: SHA-256 of what the row is about, so that it is filed once, the HR id of the
    -- person who filled the sheet, and the day that person wrote down. NULL: somebody recorded it.
    sheet_key text unique,
    filed_by text,
    filed_on date,
    check (num_nulls(sheet_key, filed_by, filed_on) in (0, 3)),
    check ((object_kind = 'row') = (row_kind is not null and row_key is not null)),
    check ((object_kind = 'metric') = (metric_id is not null)),
    check ((object_kind = 'gate') = (fact_key is not null))
);

-- Where a dispute stands: its last row.
create table payroll.dispute_event (
    dispute_event_id bigint generated always as identity primary key,
    dispute_id bigint not null references payroll.dispute,
    state text not null check (state in ('submitted', 'triage', 'evidence', 'decision', 'second_level', 'closed')),
    level integer not null check (level in (1, 2)),
    actor text not null,
    happened_at timestamptz not null,
    -- Until when the next step is due; NULL once nothing is.
    due_at timestamptz,
    outcome text check (outcome in ('upheld', 'row_excluded', 'value_corrected', 'rescored_blind')),
    note text not null,
    check ((state = 'decision') = (outcome is not null))
);

-- What a decided dispute did to one row, or to the fact behind a gate. The last entry of a row counts; is_excluded false
-- brings it back.
create table ops.row_exclusion (
    exclusion_id bigint generated always as identity primary key,
    row_kind text not null check (row_kind in ('rating', 'review', 'attendance', 'fact')),
    row_key text not null,
    dispute_id bigint not null references payroll.dispute,
    is_excluded boolean not null,
    decided_by text not null,
    decided_at timestamptz not null
);

-- What a restatement changed for one agent: one line, paid or taken back in a later period, never inside the old one.
create table payroll.adjustment (
    adjustment_id bigint generated always as identity primary key,
    period_id text not null,
    -- The version that brought the new values; the old ones are those of the version before it.
    version integer not null,
    agent_key text collate "C" not null,
    reason_code text not null,
    reason text not null,
    old_composite numeric(8, 2),
    new_composite numeric(8, 2),
    old_grade text,
    new_grade text,
    old_amount_fen bigint,
    new_amount_fen bigint,
    -- The new amount less what the first version and the corrections since have paid or will; a refused one has paid
    -- nothing. NULL: one of the amounts is unknown, so a person has to settle it.
    delta_fen bigint,
    made_by text not null,
    approved_by text not null,
    created_at timestamptz not null,
    unique (period_id, version, agent_key),
    foreign key (period_id, version) references payroll.close deferrable initially deferred
);

create table payroll.adjustment_decision (
    adjustment_id bigint primary key references payroll.adjustment,
    is_approved boolean not null,
    reason text not null check (length(reason) >= 5),
    decided_by text not null,
    decided_at timestamptz not null
);

-- The period that pays a correction, fixed when its data is cut.
create table payroll.adjustment_period (
    adjustment_id bigint primary key references payroll.adjustment,
    to_period_id text not null,
    assigned_at timestamptz not null
);

select payroll.make_append_only(name::regclass)
from unnest(array[
    'payroll.waiver', 'payroll.fallback_decision', 'payroll.login_person', 'payroll.dispute', 'payroll.dispute_event',
    'ops.row_exclusion', 'payroll.adjustment', 'payroll.adjustment_decision', 'payroll.adjustment_period'
]) as tables (name);

-- What is written elsewhere than here and moves a score or its payment; arguments: what it is, and its key column.
create function payroll.audit_row() returns trigger
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
begin
    perform write_audit(tg_argv[0], tg_argv[0] || ' ' || (to_jsonb(new) ->> tg_argv[1]), to_jsonb(new));
    return new;
end $$;
create trigger reliability_override_audit after insert on ops.reliability_override
for each row execute function payroll.audit_row('override', 'override_id');
create trigger reliability_waiver_audit after insert on ops.reliability_waiver
for each row execute function payroll.audit_row('trust waiver', 'waiver_id');
create trigger reliability_waiver_approval_audit after insert on ops.reliability_waiver_approval
for each row execute function payroll.audit_row('trust waiver approval', 'waiver_id');
create trigger integrity_decision_audit after insert on ops.integrity_decision
for each row execute function payroll.audit_row('integrity decision', 'decision_id');
create trigger adjustment_period_audit after insert on payroll.adjustment_period
for each row execute function payroll.audit_row('correction period', 'adjustment_id');

-- --- what is configured ---------------------------------------------------------------------------------------------

create function payroll.in_force(p_kind text, p_day date) returns setof cfg.object_version
language sql stable set search_path = pg_catalog, pg_temp as $$
    select distinct on (object_id) *
    from cfg.object_version
    where kind = p_kind and valid_from <= p_day
    order by object_id, version desc
$$;

-- The period as it was applied, never as a calculation tells it.
create function payroll.period_body(p_period_id text) returns jsonb
language plpgsql stable set search_path = payroll, pg_temp as $$
declare
    found_body jsonb;
begin
    select body into found_body from cfg.object_version
    where kind = 'period' and object_id = p_period_id order by version desc limit 1;
    if found_body is null then
        raise exception 'period % is not applied', p_period_id using hint = 'run `kefu config apply` first';
    end if;
    return found_body;
end $$;

-- SHA-256 over the versions in force on a day of everything that says how to calculate. Where sources are read and what
-- is checked differs between installations that calculate the same.
create function payroll.definition_hash(p_day date) returns text
language sql stable set search_path = payroll, pg_temp as $$
    select sha256_hex(coalesce(string_agg(
        concat_ws(' ', kind, object_id, version, content_hash), E'\n'
        order by kind collate "C", object_id collate "C"
    ), ''))
    from (
        select distinct on (kind, object_id) kind, object_id, version, content_hash
        from cfg.object_version
        where valid_from <= p_day and kind not in ('source', 'suite', 'system', 'period')
        order by kind, object_id, version desc
    ) as current_versions
$$;

create function payroll.number_of(p_period jsonb, variadic p_path text[]) returns numeric
language plpgsql stable set search_path = payroll, pg_temp as $$
declare
    found_value numeric;
begin
    select (body #>> p_path)::numeric into found_value from in_force('defaults', (p_period ->> 'start')::date);
    if found_value is null then
        raise exception 'the defaults in force on % have no %', p_period ->> 'start', array_to_string(p_path, '.')
            using hint = 'run `kefu config apply` first';
    end if;
    return found_value;
end $$;

-- Days after the end of a period from which the slowest metric of its plans counts every case of the last day: by the
-- largest window in force on one of its days. NULL when no metric is slow, and by `late_mature: shift`.
create function payroll.days_to_mature(p_period jsonb) returns integer
language sql stable set search_path = payroll, pg_temp as $$
    select max((watched.body ->> 'value')::integer) + 1
    from generate_series((p_period ->> 'start')::date, (p_period ->> 'end')::date, interval '1 day') as days (midnight)
    cross join lateral in_force('parameter', days.midnight::date) as watched
    where watched.object_id in (
        select metric.body ->> 'matures_in'
        from in_force('plan', (p_period ->> 'start')::date) as plan
        cross join lateral jsonb_array_elements(plan.body -> 'metrics') as entry
        join in_force('metric', (p_period ->> 'start')::date) as metric on metric.object_id = entry ->> 'metric_id'
        join in_force('defaults', (p_period ->> 'start')::date) as defaults
            on defaults.body #>> '{period, late_mature}' = 'wait'
        where p_period -> 'plan_ids' ? plan.object_id
    )
$$;

-- The instant at which the last business day of a period ends.
create function payroll.period_ends_at(p_period jsonb) returns timestamptz
language sql stable set search_path = payroll, pg_temp as $$
    select ((p_period ->> 'end')::date + 1 + (body ->> 'day_cutover')::time) at time zone (body ->> 'time_zone')
    from in_force('site', (p_period ->> 'start')::date)
$$;

-- The end of the n-th working day after an instant, by the default calendar: the earliest a deadline can be over.
create function payroll.after_business_days(p_from timestamptz, p_days integer) returns timestamptz
language plpgsql stable set search_path = payroll, pg_temp as $$
declare
    zone text;
    last_day date;
begin
    if p_days = 0 then
        return p_from;
    end if;
    select body ->> 'time_zone' into zone from in_force('site', p_from::date);
    with special as (
        select
            (coalesce(h ->> 'date', h ->> 'from'))::date as first_day,
            (coalesce(h ->> 'date', h ->> 'to'))::date as last_day,
            false as is_working
        from in_force('calendar', p_from::date) as c, jsonb_array_elements(c.body -> 'holidays') as h
        where (c.body ->> 'is_default')::boolean
        union all
        select d::date, d::date, true
        from in_force('calendar', p_from::date) as c, jsonb_array_elements_text(c.body -> 'make_up_days') as d
        where (c.body ->> 'is_default')::boolean
    ),
    working as (
        select day::date as day
        from generate_series(
            (p_from at time zone zone)::date + 1, (p_from at time zone zone)::date + 60 + 3 * p_days, interval '1 day'
        ) as day
        where coalesce(
            (
                select bool_or(s.is_working) from special as s where day::date between s.first_day and s.last_day
            ),
            extract(isodow from day) < 6
        )
        order by day
        limit p_days
    )
    select max(day) into last_day from working having count(*) = p_days;
    if last_day is null then
        raise exception 'no end of % working days after % can be found', p_days, p_from
            using hint = 'run `kefu config apply` first';
    end if;
    return (last_day + 1)::timestamp at time zone zone;
end $$;

-- --- states ---------------------------------------------------------------------------------------------------------

create function payroll.current_state(p_period_id text) returns payroll.transition
language sql stable set search_path = payroll, pg_temp as $$
    select t from transition as t where period_id = p_period_id order by transition_id desc limit 1
$$;

create function payroll.calculation_of(p_period_id text, p_version integer) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('calc_%s_v%s', p_period_id, p_version)
$$;

create function payroll.enter(p_state text, p_row payroll.transition) returns payroll.transition
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    entered transition;
begin
    insert into transition (
        period_id, version, state, actor, happened_at, data_cut, as_of, config_hash, definition_hash, result_hash,
        due_at, reason_code, reason
    )
    values (
        p_row.period_id, p_row.version, p_state, session_user, clock(), p_row.data_cut, p_row.as_of, p_row.config_hash,
        p_row.definition_hash, p_row.result_hash, p_row.due_at, p_row.reason_code, p_row.reason
    )
    returning * into entered;
    perform write_audit(p_state, 'transition ' || entered.transition_id, to_jsonb(entered));
    return entered;
end $$;

-- The state of a period, when it is one of those a step may start from.
create function payroll.expect(p_period_id text, p_step text, variadic p_states text[]) returns payroll.transition
language plpgsql set search_path = payroll, pg_temp as $$
declare
    found_row transition;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.close'));
    found_row := current_state(p_period_id);
    if found_row.state is null or not found_row.state = any(p_states) then
        raise exception 'period % is %, and % needs it %', p_period_id, coalesce(found_row.state, 'open'), p_step,
            array_to_string(p_states, ' or ')
            using hint = format('see `kefu period status %s`', p_period_id);
    end if;
    return found_row;
end $$;

-- Refuses the login that did one of these steps of the same version: maker and checker are two people.
create function payroll.refuse_who(p_row payroll.transition, p_step text, variadic p_states text[]) returns void
language plpgsql set search_path = payroll, pg_temp as $$
declare
    done text;
begin
    select string_agg(distinct state, ', ') into done from transition
    where period_id = p_row.period_id and version = p_row.version and actor = session_user and state = any(p_states);
    if done is not null then
        raise exception 'period % was % by % and cannot be % by the same login', p_row.period_id, done, session_user,
            p_step
            using hint = 'the checker is somebody else than the maker';
    end if;
end $$;

create function payroll.refuse_plan_author(p_period_id text) returns void
language plpgsql set search_path = payroll, pg_temp as $$
declare
    found_plans text;
begin
    select string_agg(distinct o.object_id, ', ') into found_plans
    from cfg.object_version as o
    where o.kind = 'plan' and o.applied_by = session_user
        and period_body(p_period_id) -> 'plan_ids' ? o.object_id;
    if found_plans is not null then
        raise exception '% applied plan % and cannot close a period with it', session_user, found_plans
            using hint = 'the checker is somebody else than the maker';
    end if;
end $$;

-- HR id of whoever is connected; NULL while nobody has recorded it.
create function payroll.person_connected() returns text
language sql stable set search_path = payroll, pg_temp as $$
    select agent_key from login_person where login = session_user order by login_person_id desc limit 1
$$;

create function payroll.result_hash(p_period_id text, p_version integer) returns text
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    calculation constant text := calculation_of(p_period_id, p_version);
    hash text;
begin
    perform lock_plain_table(calculation, name)
    from unnest(array['close_gate', 'metric_reliability', 'payment', 'score', 'score_component']) as n (name);
    execute format(
        'select sha256_hex(coalesce(string_agg(hash, E''\n'' order by hash collate "C"), '''')) from ('
        ' select sha256_hex(''score'' || to_jsonb(t)::text) as hash from %1$I.score as t where period_id = $1'
        ' union all select sha256_hex(''payment'' || to_jsonb(t)::text) from %1$I.payment as t where period_id = $1'
        ' union all select sha256_hex(''component'' || to_jsonb(t)::text) from %1$I.score_component as t'
        ' where period_id = $1'
        ' union all select sha256_hex(''reliability'' || to_jsonb(t)::text) from %1$I.metric_reliability as t'
        ' where period_id = $1'
        ' union all select sha256_hex(''estimate'' || to_jsonb(t)::text) from stats.agent_estimate as t'
        ' where period_id = $1 and calc_id = $2) as lines',
        calculation
    ) into hash using p_period_id, calculation;
    return hash;
end $$;

-- Refuses a calculation that is not the one a person reviewed.
create function payroll.expect_result(p_row payroll.transition) returns void
language plpgsql set search_path = payroll, pg_temp as $$
declare
    hash_now constant text := result_hash(p_row.period_id, p_row.version);
begin
    if hash_now is distinct from p_row.result_hash then
        raise exception 'the calculation of period % hashes to %, not to % as when it was calculated: it was changed',
            p_row.period_id, left(hash_now, 16), left(p_row.result_hash, 16)
            using hint = format('call the auditor, then `kefu period cut %s --reason ...`', p_row.period_id);
    end if;
end $$;

-- Fixes what counts. From the state `open`, or with a reason again from any state before the lock.
create function payroll.cut(p_period_id text, p_reason text default null) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    period constant jsonb := period_body(p_period_id);
    ends_at constant timestamptz := period_ends_at(period);
    days integer;
    hours numeric;
    last transition;
    new transition;
    problems text[] := '{}';
begin
    perform pg_advisory_xact_lock(hashtext('payroll.close'));
    last := current_state(p_period_id);
    if last.state in ('locked', 'exported', 'acknowledged') then
        raise exception 'period % is already closed', p_period_id
            using hint = 'a closed period never changes; a correction is a restatement with a version of its own';
    end if;
    if last.state is not null and coalesce(length(p_reason), 0) < 5 then
        raise exception 'period % is %; data is cut again only with a reason', p_period_id, last.state
            using hint = format('kefu period cut %s --reason "..."', p_period_id);
    end if;
    new.period_id := p_period_id;
    new.version := coalesce(last.version, 1);
    -- A restatement keeps the clocks of its period.
    new.as_of := coalesce(
        (select c.as_of from close as c where c.period_id = p_period_id and c.version = new.version - 1),
        (period ->> 'as_of')::timestamptz
    );
    new.reason := p_reason;
    new.reason_code := last.reason_code;
    select coalesce(max(load_seq), 0) into new.data_cut from ops.load;
    hours := number_of(period, 'rating', 'window_h');
    select (regexp_match(body #>> '{period, cut}', '^T\+([0-9]+)$'))[1] into days
    from in_force('defaults', (period ->> 'start')::date);
    if days is null then
        raise exception 'the defaults in force on % have no usable period.cut', period ->> 'start';
    end if;
    if period ->> 'mode' = 'real' then
        days := greatest(days, days_to_mature(period));
    end if;
    if new.as_of < ends_at + make_interval(days => days) then
        problems := problems || format('its clocks stand at %s, earlier than %s days after its end', new.as_of, days);
    end if;
    if new.as_of < ends_at + hours * interval '1 hour' then
        problems := problems || format(
            'its clocks stand at %s, earlier than %s hours after its end', new.as_of, trim_scale(hours)
        );
    end if;
    if period ->> 'mode' = 'real' and clock() < ends_at + make_interval(days => days) then
        problems := problems || format('it ends on %s, and data is cut %s days later', period ->> 'end', days);
    end if;
    if period ->> 'mode' = 'real' and clock() < new.as_of then
        problems := problems || format('its clocks stand at %s, which has not come yet', new.as_of);
    end if;
    if problems <> '{}' then
        raise exception 'period % cannot be cut: %', p_period_id, array_to_string(problems, '; ')
            using hint = 'wait, or correct as_of in periods.yml';
    end if;
    -- Corrections of earlier periods that are approved by now are paid with this one.
    insert into adjustment_period (adjustment_id, to_period_id, assigned_at)
    select a.adjustment_id, p_period_id, clock()
    from approved_adjustment as a
    where a.to_period_id = p_period_id and new.version = 1
    on conflict (adjustment_id) do nothing;
    return enter('cut', new);
end $$;

-- Whether somebody else than whoever is connected accepted that a precondition does not hold for what was cut.
create function payroll.is_waived(p_cut payroll.transition, p_precondition text) returns boolean
language sql stable set search_path = payroll, pg_temp as $$
    select exists (
        select 1 from waiver
        where period_id = p_cut.period_id and precondition = p_precondition and waived_by <> session_user
            and (data_cut is null or data_cut = p_cut.data_cut)
    )
$$;

-- Records a finished calculation, unless something speaks against it: then all of it is named at once.
create function payroll.record_calculation(p_period_id text, p_config_hash text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    required constant text[] := array[
        'agents_mapped', 'critical_checks', 'effective_weights_sum_to_100', 'pause_reasons_mapped', 'plan_approved',
        'quarantine_settled', 'reconciliation', 'reliability_evaluated', 'sources_fresh', 'weights_sum_to_100'
    ];
    period constant jsonb := period_body(p_period_id);
    new transition := expect(p_period_id, 'a calculation', 'cut');
    calculation constant text := calculation_of(p_period_id, new.version);
    starts_on date := period ->> 'start';
    zone text;
    problem text;
    problems text[];
    counts bigint[];
begin
    perform lock_plain_table(calculation, name)
    from unnest(array['close_gate', 'payment', 'score', 'score_component']) as n (name);
    -- A gate that is missing, unknown or without an answer has not been passed.
    execute format(
        'select array_agg(coalesce(r.gate, g.gate) || '': '' || coalesce(g.detail_en, ''was not evaluated'')'
        ' order by coalesce(r.gate, g.gate)) from unnest($1) as r (gate)'
        ' full join (select * from %I.close_gate as g) as g on r.gate = g.gate where g.is_passed is not true'
        ' and not coalesce(g.gate = ''sources_fresh'' and not g.is_passed and $2, false)',
        calculation
    ) into problems using required, is_waived(new, 'sources_fresh');
    if period ->> 'mode' = 'real' then
        select body ->> 'time_zone' into zone from in_force('site', starts_on);
        -- People know the rule they are judged by before the period begins, or somebody else accepts that they did not.
        select string_agg(p.object_id, ', ' order by p.object_id) into problem
        from in_force('plan', starts_on) as p
        join cfg.plan_approval as a on p.object_id = a.plan_id and p.version = a.version
        where period -> 'plan_ids' ? p.object_id
            and a.approved_at >= starts_on::timestamp at time zone zone
            and not is_waived(new, 'plan_approved_in_time');
        if problem is not null then
            problems := problems || format('plan_approved_in_time: approved after the period began: %s', problem);
        end if;
        select string_agg(distinct p.object_id, ', ') into problem
        from cfg.object_version as p
        where p.kind = 'plan' and p.body ->> 'mode' = 'demo' and period -> 'plan_ids' ? p.object_id;
        if problem is not null then
            problems := problems || format('plan_mode: the period is real and %s is a demo plan', problem);
        end if;
    end if;
    execute format(
        'select array[(select count(*) from %1$I.score where period_id = $1),'
        ' (select count(distinct agent_key) from %1$I.score where period_id = $1),'
        ' (select count(*) from %1$I.score as s join %1$I.payment as p on s.agent_key = p.agent_key'
        ' and s.period_id = p.period_id where s.period_id = $1),'
        ' (select count(*) from %1$I.payment where period_id = $1)]',
        calculation
    ) into counts using p_period_id;
    if counts[1] = 0 then
        problems := problems || format('scores: period %s has no scores to close', p_period_id);
    elsif counts[1] <> counts[2] or counts[1] <> counts[3] or counts[1] <> counts[4] then
        problems := problems || format(
            'payments: %s agents have %s scores and %s payments, %s of them matched', counts[2], counts[1], counts[4],
            counts[3]
        );
    end if;
    if problems <> '{}' then
        raise exception 'period % cannot be closed: %', p_period_id, array_to_string(problems, '; ')
            using hint = 'settle each of these, then calculate again';
    end if;
    new.config_hash := p_config_hash;
    new.definition_hash := definition_hash(starts_on);
    if new.version > 1 and new.reason_code <> 'defect' and exists (
        select 1 from close as c
        where c.period_id = p_period_id and c.version = new.version - 1 and c.definition_hash <> new.definition_hash
    ) then
        raise exception 'period % was closed under other definitions', p_period_id
            using hint = 'a restatement uses those of its period; only a corrected defect may change them';
    end if;
    new.result_hash := result_hash(p_period_id, new.version);
    return enter('calculated', new);
end $$;

create function payroll.waive(p_period_id text, p_precondition text, p_reason text) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    now_at transition;
    written waiver;
begin
    perform period_body(p_period_id);
    perform refuse_plan_author(p_period_id);
    if p_precondition = 'sources_fresh' then
        now_at := expect(p_period_id, 'accepting what was loaded', 'cut');
    end if;
    insert into waiver (period_id, precondition, data_cut, reason, waived_by, waived_at)
    values (p_period_id, p_precondition, now_at.data_cut, p_reason, session_user, clock())
    returning * into written;
    perform write_audit('waive', 'waiver ' || written.waiver_id, to_jsonb(written));
end $$;

-- Names of those whose pay rests on a fallback that two people, one of them of HR, have not accepted yet; NULL: nobody.
-- The recordings of a demo wait for nobody.
create function payroll.undecided(p_period_id text) returns text
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    now_at constant transition := current_state(p_period_id);
    calculation constant text := calculation_of(p_period_id, now_at.version);
    names text;
begin
    if period_body(p_period_id) ->> 'mode' = 'demo'
        or now_at.state is null or now_at.state not in ('calculated', 'reviewed', 'published', 'dispute_window')
    then
        return null;
    end if;
    perform lock_plain_table(calculation, name) from unnest(array['payment', 'score']) as n (name);
    execute format(
        'select string_agg(s.agent_name || '' ('' || s.agent_key || '')'', '', '' order by s.agent_key)'
        ' from %1$I.payment as p join %1$I.score as s on p.period_id = s.period_id and p.agent_key = s.agent_key'
        ' where p.period_id = $1 and p.needs_decision and not coalesce(('
        ' select count(distinct f.decided_by) > 1 and bool_or(f.is_hr) from payroll.fallback_decision as f'
        ' where f.period_id = p.period_id and f.agent_key = p.agent_key'
        ' and f.coefficient is not distinct from p.coefficient), false)',
        calculation
    ) into names using p_period_id;
    return names;
end $$;

-- Accepts what the plan pays an agent without enough evidence, as the manager or as HR.
create function payroll.accept_fallback(p_period_id text, p_agent_key text, p_reason text) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    now_at constant transition := expect(
        p_period_id, 'a decision about a fallback', 'calculated', 'reviewed', 'published', 'dispute_window'
    );
    calculation constant text := calculation_of(p_period_id, now_at.version);
    payment jsonb;
    written fallback_decision;
begin
    perform refuse_who(now_at, 'decided about', 'cut', 'calculated');
    if person_connected() = p_agent_key then
        raise exception '% cannot decide about the own pay', session_user using hint = 'another person decides';
    end if;
    perform lock_plain_table(calculation, 'payment');
    execute format(
        'select to_jsonb(p) from %I.payment as p where period_id = $1 and agent_key = $2 and needs_decision', calculation
    ) into payment using p_period_id, p_agent_key;
    if payment is null then
        raise exception '% needs no decision in period %', p_agent_key, p_period_id
            using hint = format('see `kefu period status %s`', p_period_id);
    end if;
    insert into fallback_decision (period_id, agent_key, coefficient, is_hr, reason, decided_by, decided_at)
    values (
        p_period_id, p_agent_key, (payment ->> 'coefficient')::numeric,
        pg_has_role(session_user, 'kefu_hr_approver', 'member'), p_reason, session_user, clock()
    )
    returning * into written;
    perform write_audit(
        'accept fallback', 'fallback decision ' || written.fallback_decision_id, to_jsonb(written)
    );
end $$;

create function payroll.review(p_period_id text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    new constant transition := expect(p_period_id, 'a review', 'calculated');
begin
    perform refuse_plan_author(p_period_id);
    perform refuse_who(new, 'reviewed', 'cut', 'calculated');
    perform expect_result(new);
    return enter('reviewed', new);
end $$;

-- Shows the scores to those concerned and opens the dispute window.
create function payroll.publish(p_period_id text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    period constant jsonb := period_body(p_period_id);
    new transition := expect(p_period_id, 'publishing', 'reviewed');
begin
    if new.version > 1 then
        raise exception 'version % of period % is a restatement and goes from review to approval', new.version,
            p_period_id using hint = format('kefu period approve %s', p_period_id);
    end if;
    perform expect_result(new);
    new := enter('published', new);
    -- The recordings of a demo wait for nobody.
    new.due_at := case
        when period ->> 'mode' = 'demo' then clock()
        else after_business_days(clock(), number_of(period, 'period', 'dispute_days')::integer)
    end;
    return enter('dispute_window', new);
end $$;

create function payroll.approve(p_period_id text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    new transition := expect(p_period_id, 'an approval', 'dispute_window', 'reviewed');
    problems text[] := '{}';
    found_ids text;
begin
    if new.state = 'reviewed' and new.version = 1 then
        raise exception 'period % is reviewed and was not published yet', p_period_id
            using hint = format('kefu period publish %s', p_period_id);
    end if;
    perform refuse_plan_author(p_period_id);
    perform refuse_who(new, 'approved', 'cut', 'calculated', 'reviewed');
    if new.due_at > clock() then
        problems := problems || format(
            'its dispute window ends on %s UTC', to_char(new.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
        );
    end if;
    select string_agg(dispute_id::text, ', ' order by dispute_id) into found_ids
    from dispute_status where period_id = p_period_id and is_open and new.version = 1;
    if found_ids is not null then
        problems := problems || format('these disputes are open: %s', found_ids);
    end if;
    select string_agg(d.dispute_id::text, ', ' order by d.dispute_id) into found_ids
    from dispute_status as d
    where d.period_id = p_period_id and d.version = new.version and not d.is_locked and d.is_overturned
        and d.decided_at >= (
            select max(t.happened_at) from transition as t
            where t.period_id = p_period_id and t.version = new.version and t.state = 'cut'
        );
    if found_ids is not null then
        problems := problems || format('it was calculated before these disputes were decided: %s', found_ids);
    end if;
    -- What a version corrects is counted from what the versions before it pay in the end.
    select string_agg(a.adjustment_id::text, ', ' order by a.adjustment_id) into found_ids
    from adjustment as a
    left join adjustment_decision as d on a.adjustment_id = d.adjustment_id
    where a.period_id = p_period_id and (a.delta_fen < 0 or a.delta_fen is null) and d.adjustment_id is null;
    if found_ids is not null then
        problems := problems || format('these earlier corrections of it wait for HR: %s', found_ids);
    end if;
    found_ids := undecided(p_period_id);
    if found_ids is not null then
        problems := problems || format(
            'a manager and HR have not both accepted what these get without enough evidence: %s', found_ids
        );
    end if;
    if problems <> '{}' then
        raise exception 'period % cannot be approved: %', p_period_id, array_to_string(problems, '; ')
            using hint = format(
                'see `kefu period status %1$s`; settle with `kefu dispute`, `kefu payroll decide` and'
                ' `kefu period accept-fallback %1$s`', p_period_id
            );
    end if;
    perform expect_result(new);
    return enter('approved', new);
end $$;

-- Copies the approved calculation into the snapshot and seals it with a manifest; from here on nothing changes.
create function payroll.lock(p_period_id text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    period constant jsonb := period_body(p_period_id);
    new transition := expect(p_period_id, 'a lock', 'approved');
    calculation constant text := calculation_of(p_period_id, new.version);
    sealed close;
begin
    perform expect_result(new);
    execute format(
        'insert into payroll.snapshot select s.period_id, $2, s.agent_key, s.agent_name, s.team_key, s.plan_id,'
        ' s.plan_version, s.cohort_key, $3, $4, s.status, p.worked_share, s.composite, s.composite_before_gates,'
        ' s.composite_unadjusted, s.interval_low, s.interval_high, s.grade, s.own_data_weight, p.coefficient,'
        ' p.base_fen, p.bonus_fen, p.piece_fen, p.adjustment_fen, p.held_fen, p.pool_share, p.amount_fen,'
        ' p.check_min_wage, to_jsonb(s), to_jsonb(p), '''' from %1$I.score as s join %1$I.payment as p'
        ' on s.period_id = p.period_id and s.agent_key = p.agent_key where s.period_id = $1',
        calculation
    ) using p_period_id, new.version, new.definition_hash, new.data_cut;
    -- Somebody who left has no score any more and still gets what a correction owes.
    insert into snapshot (
        period_id, version, agent_key, agent_name, team_key, plan_id, plan_version, cohort_key, definition_hash,
        data_cut, status, own_data_weight, adjustment_fen, amount_fen, score, payment, row_hash
    )
    select
        p_period_id, new.version, owed.agent_key, before.agent_name, before.team_key, before.plan_id,
        before.plan_version, before.cohort_key, new.definition_hash, new.data_cut, 'correction_only', 0, owed.fen,
        owed.fen,
        '{}', jsonb_build_object('reason_zh', '仅往期调整', 'reason_en', 'correction of earlier periods only'), ''
    from (
        select agent_key, sum(amount_fen)::bigint as fen, max(adjustment_id) as adjustment_id
        from approved_adjustment where to_period_id = p_period_id group by agent_key
    ) as owed
    join adjustment as a on owed.adjustment_id = a.adjustment_id
    join lateral (
        select s.* from snapshot as s
        where s.period_id = a.period_id and s.agent_key = a.agent_key and s.version <= a.version
        order by s.version desc limit 1
    ) as before on true
    where not exists (
        select 1 from snapshot as s
        where s.period_id = p_period_id and s.version = new.version and s.agent_key = owed.agent_key
    );
    execute format(
        'insert into payroll.snapshot_component select period_id, $2, agent_key, plan_id, metric_id, is_adjusted,'
        ' metric_version, nominal_weight, weight_factor, effective_weight, raw_value, n, scored_value, curve_score,'
        ' points, reason_zh, reason_en, to_jsonb(c) from %I.score_component as c where period_id = $1', calculation
    ) using p_period_id, new.version;
    -- Columns that a later version of the model adds stand in details.
    execute format(
        'insert into payroll.snapshot_reliability select (jsonb_populate_record(null::payroll.snapshot_reliability,'
        ' to_jsonb(r) || jsonb_build_object(''version'', $2, ''details'', to_jsonb(r)))).*'
        ' from %I.metric_reliability as r where period_id = $1', calculation
    ) using p_period_id, new.version;
    insert into snapshot_estimate
    select period_id, new.version, metric_id, cohort_key, agent_key, n, total
    from stats.agent_estimate where period_id = p_period_id and calc_id = calculation;
    sealed.period_id := p_period_id;
    sealed.version := new.version;
    sealed.period_start := period ->> 'start';
    sealed.period_end := period ->> 'end';
    sealed.period_mode := period ->> 'mode';
    sealed.data_cut := new.data_cut;
    sealed.as_of := new.as_of;
    sealed.config_hash := new.config_hash;
    sealed.definition_hash := new.definition_hash;
    select
        count(*), coalesce(sum(amount_fen), 0), count(*) filter (where amount_fen is null)
    into sealed.row_count, sealed.amount_fen, sealed.rows_without_amount
    from snapshot where period_id = p_period_id and version = new.version;
    if sealed.row_count = 0 then
        raise exception 'period % has no scores to close', p_period_id;
    end if;
    select coalesce(jsonb_object_agg(team, fen), '{}') into sealed.amount_fen_by_team
    from (
        select coalesce(team_key, 'unassigned') as team, coalesce(sum(amount_fen), 0) as fen
        from snapshot where period_id = p_period_id and version = new.version
        group by coalesce(team_key, 'unassigned')
    ) as teams;
    select coalesce(jsonb_object_agg(p.object_id, jsonb_build_object(
        'version', p.version, 'content_hash', p.content_hash, 'approved_by', a.approved_by
    )), '{}') into sealed.plans
    from in_force('plan', sealed.period_start) as p
    left join cfg.plan_approval as a on p.object_id = a.plan_id and p.version = a.version
    where period -> 'plan_ids' ? p.object_id;
    sealed.content_hash := sha256_hex(canonical_csv(p_period_id, new.version));
    sealed.component_hash := component_hash(p_period_id, new.version);
    sealed.trust_hash := trust_hash(p_period_id, new.version);
    select c.chain_position, c.manifest_hash into sealed.chain_position, sealed.previous_manifest_hash
    from close as c order by c.chain_position desc limit 1;
    sealed.chain_position := coalesce(sealed.chain_position, 0) + 1;
    sealed.previous_manifest_hash := coalesce(sealed.previous_manifest_hash, repeat('0', 64));
    sealed.restatement_reason := case when new.version > 1 then new.reason_code end;
    select
        max(actor) filter (where state = 'calculated'), max(actor) filter (where state = 'reviewed'),
        max(actor) filter (where state = 'approved')
    into sealed.calculated_by, sealed.reviewed_by, sealed.approved_by
    from (
        select distinct on (state) state, actor from transition
        where period_id = p_period_id and version = new.version order by state, transition_id desc
    ) as last_steps;
    sealed.locked_by := session_user;
    sealed.locked_at := clock();
    -- The head of the audit is part of the manifest, so that payroll's copy proves the steps that led here.
    perform pg_advisory_xact_lock(hashtext('payroll.audit'));
    select a.position, a.hash into sealed.audit_position, sealed.audit_hash
    from audit as a order by a.position desc limit 1;
    sealed.manifest := manifest(sealed);
    sealed.manifest_hash := sha256_hex(sealed.manifest);
    insert into close values (sealed.*);
    if new.version > 1 then
        perform write_adjustments(new, sealed);
    end if;
    new := enter('locked', new);
    perform write_audit(
        'seal', format('close %s v%s', p_period_id, new.version),
        jsonb_build_object('manifest_hash', sealed.manifest_hash, 'row_count', sealed.row_count)
    );
    return new;
end $$;

-- Stores the signature under which a version leaves the house; refused when its rows no longer hash to the manifest.
create function payroll.record_export(
    p_period_id text, p_version integer, p_manifest_hash text, p_signature text, p_public_key text
) returns payroll.export
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    now_at constant transition := expect(p_period_id, 'an export', 'locked', 'exported', 'acknowledged');
    sealed close;
    written export;
begin
    select * into sealed from close where period_id = p_period_id and version = p_version;
    if not found then
        raise exception 'period % has no version %', p_period_id, p_version;
    end if;
    if sealed.content_hash <> sha256_hex(canonical_csv(p_period_id, p_version))
        or sealed.component_hash <> component_hash(p_period_id, p_version)
        or sealed.trust_hash <> trust_hash(p_period_id, p_version)
        or sealed.manifest <> manifest(sealed)
        or sealed.manifest_hash <> sha256_hex(sealed.manifest)
        or sealed.manifest_hash <> p_manifest_hash
        or exists (
            select 1 from snapshot as s
            where s.period_id = p_period_id and s.version = p_version and s.row_hash <> row_hash(s)
        )
    then
        raise exception 'period % was tampered with and is not exported', p_period_id using hint = 'call the auditor';
    end if;
    select * into written from export where period_id = p_period_id and version = p_version;
    if found then
        return written;
    end if;
    insert into export values (
        p_period_id, p_version, p_manifest_hash, p_signature, p_public_key, session_user, clock()
    ) returning * into written;
    perform write_audit('export', format('export %s v%s', p_period_id, p_version), to_jsonb(written));
    if now_at.state = 'locked' and now_at.version = p_version then
        perform enter('exported', now_at);
    end if;
    return written;
end $$;

-- Payroll confirms the content it received; the chain up to here is then held by a second party.
create function payroll.acknowledge(p_period_id text, p_content_hash text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    now_at constant transition := expect(p_period_id, 'an acknowledgement', 'exported');
    sealed close;
begin
    perform refuse_who(now_at, 'acknowledged', 'cut', 'calculated', 'reviewed', 'approved', 'locked', 'exported');
    select * into sealed from close where period_id = p_period_id and version = now_at.version;
    if sealed.content_hash is distinct from p_content_hash then
        raise exception 'payroll received %, the seal of period % says %', left(p_content_hash, 16), p_period_id,
            left(sealed.content_hash, 16) using hint = 'do not pay; run `kefu payroll verify` on the folder received';
    end if;
    return enter('acknowledged', now_at);
end $$;

-- --- restatement ----------------------------------------------------------------------------------------------------

-- Opens version v+1 of a closed period: its own plan, definitions and clocks, everything loaded by now.
create function payroll.restate(p_period_id text, p_reason_code text, p_reason text) returns payroll.transition
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    period constant jsonb := period_body(p_period_id);
    last constant transition := expect(p_period_id, 'a restatement', 'locked', 'exported', 'acknowledged');
    later integer;
    lookback integer;
    new transition;
begin
    if coalesce(length(p_reason), 0) < 5 then
        raise exception 'a restatement of % needs a reason in words', p_period_id;
    end if;
    select count(*) into later from closed_period as c
    where c.period_end > (period ->> 'end')::date
        and (select body ->> 'mode' from cfg.object_version
            where kind = 'period' and object_id = c.period_id order by version desc limit 1) = period ->> 'mode';
    lookback := number_of(period, 'period', 'lookback');
    if later >= lookback then
        raise exception 'period % lies % closed periods back, and % may be restated', p_period_id, later, lookback;
    end if;
    new.period_id := p_period_id;
    new.version := last.version + 1;
    select c.as_of into new.as_of from close as c where c.period_id = p_period_id and c.version = last.version;
    select coalesce(max(load_seq), 0) into new.data_cut from ops.load;
    new.reason_code := p_reason_code;
    new.reason := p_reason;
    return enter('cut', new);
end $$;

create function payroll.write_adjustments(p_row payroll.transition, p_sealed payroll.close) returns void
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    period constant jsonb := period_body(p_row.period_id);
    least_points constant numeric := number_of(period, 'period', 'material', 'score');
    least_fen constant numeric := 100 * number_of(period, 'period', 'material', 'cny');
    -- Data may have been cut again since, for another reason.
    restated_for constant text := (
        select reason from transition
        where period_id = p_row.period_id and version = p_row.version order by transition_id limit 1
    );
    written adjustment;
begin
    for written in
        insert into adjustment (
            period_id, version, agent_key, reason_code, reason, old_composite, new_composite, old_grade, new_grade,
            old_amount_fen, new_amount_fen, delta_fen, made_by, approved_by, created_at
        )
        select
            p_row.period_id, p_row.version, agents.agent_key, p_row.reason_code, restated_for, old.composite,
            new.composite, old.grade, new.grade, old.amount_fen, new.amount_fen,
            money.new_fen - money.first_fen - corrected.paid_fen, p_sealed.calculated_by, p_sealed.approved_by, clock()
        from (
            select agent_key from snapshot
            where period_id = p_row.period_id and version in (p_row.version - 1, p_row.version)
            group by agent_key
        ) as agents
        cross join lateral (
            select
                coalesce(max(a.version), 1) as version,
                coalesce(sum(a.delta_fen) filter (where d.is_approved is not false), 0)::bigint as paid_fen
            from adjustment as a
            left join adjustment_decision as d on a.adjustment_id = d.adjustment_id
            where a.period_id = p_row.period_id and a.agent_key = agents.agent_key
        ) as corrected
        left join snapshot as new
            on new.period_id = p_row.period_id and new.version = p_row.version and new.agent_key = agents.agent_key
        left join snapshot as old
            on old.period_id = p_row.period_id and old.version = p_row.version - 1 and old.agent_key = agents.agent_key
        left join snapshot as said
            on said.period_id = p_row.period_id and said.version = corrected.version
                and said.agent_key = agents.agent_key
        left join snapshot as first
            on first.period_id = p_row.period_id and first.version = 1 and first.agent_key = agents.agent_key
        -- An agent who was not in a version got nothing by it; one without an amount got an unknown one.
        cross join lateral (
            select
                case when new.row_hash is null then 0 else new.amount_fen end as new_fen,
                case when said.row_hash is null then 0 else said.amount_fen end as said_fen,
                case when first.row_hash is null then 0 else first.amount_fen end as first_fen
        ) as money
        where abs(new.composite - old.composite) >= least_points
            or (new.composite is null) <> (old.composite is null)
            or new.grade is distinct from old.grade
            or (new.amount_fen is null) <> (old.amount_fen is null)
            -- Since the last line, so that small changes of several versions add up.
            or abs(money.new_fen - money.said_fen) >= least_fen
        order by agents.agent_key
        returning *
    loop
        perform write_audit('correct', 'correction ' || written.adjustment_id, to_jsonb(written));
    end loop;
end $$;

-- Corrections that take money back, or whose amount nobody can tell, wait for this decision.
create function payroll.decide_adjustment(p_adjustment_id bigint, p_is_approved boolean, p_reason text) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    line adjustment;
    written adjustment_decision;
begin
    select * into line from adjustment where adjustment_id = p_adjustment_id;
    if not found then
        raise exception 'there is no correction %', p_adjustment_id using hint = 'see `kefu payroll corrections`';
    end if;
    if line.delta_fen > 0 then
        raise exception 'correction % is positive and is paid with the next period', p_adjustment_id;
    end if;
    if line.delta_fen is null and p_is_approved then
        raise exception 'correction % has no amount that could be approved', p_adjustment_id
            using hint = 'settle it with payroll, then refuse it here and say how it was settled';
    end if;
    if session_user = line.made_by then
        raise exception 'correction % was calculated by % and cannot be approved by the same login', p_adjustment_id,
            session_user using hint = 'the checker is somebody else than the maker';
    end if;
    insert into adjustment_decision values (p_adjustment_id, p_is_approved, p_reason, session_user, clock())
    returning * into written;
    perform write_audit('decide correction', 'correction decision ' || p_adjustment_id, to_jsonb(written));
end $$;

-- The earliest period of a mode, ending after a day, whose data is not cut yet.
create function payroll.open_period(p_mode text, p_after date) returns text
language sql stable security definer set search_path = payroll, pg_temp as $$
    select p.object_id
    from (
        select distinct on (object_id) object_id, body
        from cfg.object_version where kind = 'period' order by object_id, version desc
    ) as p
    where p.body ->> 'mode' = p_mode and (p.body ->> 'end')::date > p_after
        and not exists (select 1 from payroll.transition as t where t.period_id = p.object_id)
    order by p.body ->> 'end', p.object_id
    limit 1
$$;

-- One row per correction that may be paid or taken back, in the period that does so: the one it was assigned to when
-- data was cut, else the one that is open now. Without any open period it waits and has no row.
create view payroll.approved_adjustment with (security_barrier) as
select
    a.adjustment_id,
    coalesce(fixed.to_period_id, payroll.open_period(c.period_mode, c.period_end)) as to_period_id,
    a.agent_key,
    a.delta_fen as amount_fen,
    a.period_id as from_period_id,
    a.reason_code
from payroll.adjustment as a
join payroll.close as c on a.period_id = c.period_id and a.version = c.version
left join payroll.adjustment_decision as d on a.adjustment_id = d.adjustment_id
left join payroll.adjustment_period as fixed on a.adjustment_id = fixed.adjustment_id
where (a.delta_fen > 0 or (a.delta_fen < 0 and d.is_approved))
    and coalesce(fixed.to_period_id, payroll.open_period(c.period_mode, c.period_end)) is not null;

-- The rows of a period as they were at an instant: its last version locked by then.
create function payroll.snapshot_as_of(p_period_id text, p_as_of timestamptz) returns setof payroll.snapshot
language sql stable set search_path = payroll, pg_temp as $$
    select s.* from snapshot as s
    where s.period_id = p_period_id and s.version = (
        select max(c.version) from close as c where c.period_id = p_period_id and c.locked_at <= p_as_of
    )
    order by s.agent_key
$$;

-- --- disputes -------------------------------------------------------------------------------------------------------

create view payroll.dispute_status as
select
    d.dispute_id,
    d.period_id,
    d.version,
    d.is_locked,
    d.agent_key,
    d.object_kind,
    d.row_kind,
    d.row_key,
    d.metric_id,
    d.fact_key,
    d.scorer_key,
    d.verifier_key,
    d.sheet_key,
    d.filed_by,
    d.submitted_at,
    last.state,
    last.level,
    last.due_at,
    -- A decision of the first level stands when the time to appeal is over.
    not (last.state = 'closed' or (last.state = 'decision' and last.due_at <= payroll.clock())) as is_open,
    last.due_at <= payroll.clock() and last.state not in ('closed', 'decision') as is_overdue,
    decided.outcome,
    decided.happened_at as decided_at,
    decided.outcome <> 'upheld' as is_overturned
from payroll.dispute as d
cross join lateral (
    select e.* from payroll.dispute_event as e where e.dispute_id = d.dispute_id
    order by e.dispute_event_id desc limit 1
) as last
left join lateral (
    select e.* from payroll.dispute_event as e where e.dispute_id = d.dispute_id and e.state = 'decision'
    order by e.dispute_event_id desc limit 1
) as decided on true;

create function payroll.enter_dispute(
    p_dispute_id bigint, p_state text, p_level integer, p_due_at timestamptz, p_outcome text, p_note text
) returns void
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    written dispute_event;
begin
    insert into dispute_event (dispute_id, state, level, actor, happened_at, due_at, outcome, note)
    values (p_dispute_id, p_state, p_level, session_user, clock(), p_due_at, p_outcome, p_note)
    returning * into written;
    perform write_audit('dispute ' || p_state, 'dispute event ' || written.dispute_event_id, to_jsonb(written));
end $$;

create function payroll.expect_dispute(p_dispute_id bigint, p_step text, variadic p_states text[])
returns payroll.dispute_status
language plpgsql set search_path = payroll, pg_temp as $$
declare
    found_row dispute_status;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.dispute'));
    select * into found_row from dispute_status where dispute_id = p_dispute_id;
    if not found then
        raise exception 'there is no dispute %', p_dispute_id using hint = 'see `kefu dispute list`';
    end if;
    if not found_row.state = any(p_states) then
        raise exception 'dispute % is in the state %, and % needs %', p_dispute_id, found_row.state, p_step,
            array_to_string(p_states, ' or ');
    end if;
    return found_row;
end $$;

-- What a dispute names, with who gave the score; refused unless it is this person's in the period. Rows are those of the
-- published calculation, excluded ones too, and after the lock, which removes it, those that are loaded. They count on
-- days of the period: a slow metric counts none of these kinds. Somebody without a score may dispute just that.
create function payroll.disputed_object(
    p_now_at payroll.transition, p_agent_key text, p_object_kind text, p_object_key text
) returns payroll.dispute
language plpgsql set search_path = payroll, pg_temp as $$
declare
    period constant jsonb := period_body(p_now_at.period_id);
    starts_on constant date := period ->> 'start';
    is_locked constant boolean := p_now_at.state in ('locked', 'exported', 'acknowledged');
    calculation constant text := calculation_of(p_now_at.period_id, p_now_at.version);
    facts constant text := case when is_locked then 'wh_core' else calculation end;
    about constant text := format('%s in period %s', p_agent_key, p_now_at.period_id);
    object dispute;
    is_own boolean;
    counts_on date;
    found_kind text;
    plan_judging text;
    is_scored boolean;
    problem text;
begin
    object.object_kind := p_object_kind;
    if p_object_kind = 'composite' then
        if p_object_key <> 'composite' then
            raise exception '%', p_object_key using column = 'object_key', detail = 'the word composite',
                hint = 'write it, or name the kind of the object';
        end if;
        return object;
    end if;
    if p_object_kind = 'metric' then
        if is_locked then
            is_scored := exists (
                select 1 from snapshot_component as c
                where c.period_id = p_now_at.period_id and c.version = p_now_at.version
                    and c.agent_key = p_agent_key and c.metric_id = p_object_key
            );
        else
            perform lock_plain_table(calculation, 'score_component');
            execute format(
                'select exists (select 1 from %I.score_component'
                ' where period_id = $1 and agent_key = $2 and metric_id = $3)', calculation
            ) into is_scored using p_now_at.period_id, p_agent_key, p_object_key;
        end if;
        -- Points that no metric earned are a line, too.
        if not is_scored or not exists (
            select 1 from in_force('metric', starts_on) as m where m.object_id = p_object_key
        ) then
            raise exception '%, which no plan of this person scores', p_object_key using column = 'object_key',
                detail = 'the id of a metric that is scored for ' || about,
                hint = 'take it from the card of this person';
        end if;
        object.metric_id := p_object_key;
        return object;
    end if;
    perform lock_plain_table(facts, name) from unnest(case p_object_kind
        when 'rating' then array['fct_rating', 'fct_rating_credit']
        when 'review' then array['fct_qa_review']
        when 'attendance' then array['fct_attendance']
        when 'gate' then array['fct_verified_fact']
    end) as n (name);
    -- A rating that says something about the product, or that several colleagues share, is about each of them.
    execute format(
        case p_object_kind
            when 'rating' then
                'select coalesce(r.served_agent_key = $2, false) or exists (select 1 from %1$I.fct_rating_credit as c'
                ' where c.rating_key = r.rating_key and c.agent_key = $2), r.business_date, null, null, null'
                ' from %1$I.fct_rating as r where r.rating_key = $1 and r.instrument_kind <> ''nps'''
            when 'review' then
                'select agent_key = $2, business_date, reviewer_key, null, null from %I.fct_qa_review'
                ' where review_key = $1'
            when 'attendance' then
                'select agent_key = $2, business_date, null, null, null from %I.fct_attendance'
                ' where attendance_key = $1'
            when 'gate' then
                'select agent_key = $2, business_date, reporter_key, verifier_key, fact_kind from %I.fct_verified_fact'
                ' where fact_key = $1'
        end, facts
    ) into is_own, counts_on, object.scorer_key, object.verifier_key, found_kind using p_object_key, p_agent_key;
    if p_object_kind = 'gate' then
        if is_locked then
            select s.plan_id into plan_judging from snapshot as s
            where s.period_id = p_now_at.period_id and s.version = p_now_at.version and s.agent_key = p_agent_key;
        else
            perform lock_plain_table(calculation, 'score');
            execute format('select plan_id from %I.score where period_id = $1 and agent_key = $2', calculation)
            into plan_judging using p_now_at.period_id, p_agent_key;
        end if;
    end if;
    problem := case
        when is_own is null then 'which is not there'
        when not is_own then 'which is about somebody else'
        when (counts_on between starts_on and (period ->> 'end')::date) is not true
            then format('which counts on %s', coalesce(counts_on::text, 'no day'))
        when p_object_kind = 'gate' and found_kind not in ('bonus', 'malus') and not exists (
            select 1
            from in_force('plan', starts_on) as p
            cross join lateral jsonb_array_elements(p.body -> 'gates') as gate
            where p.object_id = plan_judging and gate ->> 'fact_kind' = found_kind
        ) then format('of the kind %s, which is no gate of this person''s plan', found_kind)
    end;
    if problem is not null then
        raise exception '%, %', p_object_key, problem using column = 'object_key',
            detail = format('the number of a %s of %s (%s to %s)', case p_object_kind
                when 'attendance' then 'day of attendance' when 'gate' then 'fact behind a gate' else p_object_kind
            end, about, starts_on, period ->> 'end'),
            hint = 'take it from the card of this person, or name the period it counts in';
    end if;
    if p_object_kind = 'gate' then
        object.fact_key := p_object_key;
    else
        object.object_kind := 'row';
        object.row_kind := p_object_kind;
        object.row_key := p_object_key;
    end if;
    return object;
end $$;

-- A dispute with its first state, in one transaction.
create function payroll.write_dispute(
    p_now_at payroll.transition, p_agent_key text, p_object_kind text, p_object_key text, p_claim text,
    p_sheet_key text default null, p_filed_by text default null, p_filed_on date default null
) returns bigint
language plpgsql set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    object constant dispute := disputed_object(p_now_at, p_agent_key, p_object_kind, p_object_key);
    written dispute;
begin
    insert into dispute (
        period_id, version, is_locked, agent_key, object_kind, row_kind, row_key, metric_id, fact_key, scorer_key,
        verifier_key, claim, submitted_by, submitted_at, sheet_key, filed_by, filed_on
    )
    values (
        p_now_at.period_id, p_now_at.version, p_now_at.state in ('locked', 'exported', 'acknowledged'), p_agent_key,
        object.object_kind, object.row_kind, object.row_key, object.metric_id, object.fact_key, object.scorer_key,
        object.verifier_key, p_claim, session_user, clock(), p_sheet_key, p_filed_by, p_filed_on
    )
    returning * into written;
    perform write_audit('dispute', 'dispute ' || written.dispute_id, to_jsonb(written));
    perform enter_dispute(
        written.dispute_id, 'submitted', 1,
        after_business_days(
            clock(), number_of(period_body(written.period_id), 'dispute', 'triage_days')::integer
        ),
        null, p_claim
    );
    return written.dispute_id;
end $$;

-- `p_object_kind` is rating, review, attendance, metric, gate or composite; the key is what the card calls it by.
create function payroll.submit_dispute(
    p_period_id text, p_agent_key text, p_object_kind text, p_object_key text, p_claim text
) returns bigint
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    period constant jsonb := period_body(p_period_id);
    now_at constant transition := expect(
        p_period_id, 'a dispute', 'published', 'dispute_window', 'locked', 'exported', 'acknowledged'
    );
begin
    if now_at.state = 'dispute_window' and now_at.due_at <= clock() and period ->> 'mode' = 'real' then
        raise exception 'the dispute window of period % ended on %', p_period_id,
            to_char(now_at.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
            using hint = 'after the lock a dispute leads to a restatement';
    end if;
    return write_dispute(now_at, p_agent_key, p_object_kind, p_object_key, p_claim);
end $$;

-- Files what a person wrote into a sheet; the number of the dispute, the same however often it is asked for. What came
-- with the first load after the window is in time if it was written by then: sheets are read once a day.
create function payroll.file_dispute(
    p_sheet_key text, p_load_seq bigint, p_filed_by text, p_filed_on date, p_period_id text, p_agent_key text,
    p_object_kind text, p_object_key text, p_claim text
) returns bigint
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    period constant jsonb := period_body(p_period_id);
    zone constant text := (select body ->> 'time_zone' from in_force('site', (period ->> 'start')::date));
    arrived_at constant timestamptz := (select completed_at from ops.load where load_seq = p_load_seq);
    now_at transition;
    opened transition;
    locked_at timestamptz;
    filed_id bigint;
begin
    perform pg_advisory_xact_lock(hashtext('payroll.close'));
    select dispute_id into filed_id from dispute where sheet_key = p_sheet_key;
    if filed_id is not null then
        return filed_id;
    end if;
    now_at := expect(p_period_id, 'a dispute', 'published', 'dispute_window', 'locked', 'exported', 'acknowledged');
    if arrived_at is null or p_filed_on > (arrived_at at time zone zone)::date then
        raise exception 'the sheet was filed on % and loaded on %', p_filed_on, (arrived_at at time zone zone)::date
            using column = 'filed_on', hint = 'write down the day on which it was handed in';
    end if;
    select * into opened from transition
    where period_id = p_period_id and state = 'dispute_window' order by transition_id desc limit 1;
    select min(happened_at) into locked_at from transition
    where period_id = p_period_id and state = 'locked' and transition_id > opened.transition_id;
    -- What comes after the lock is about what was paid, and leads to a restatement.
    if period ->> 'mode' = 'real' and (locked_at is null or arrived_at < locked_at) and (
        p_filed_on::timestamp at time zone zone >= opened.due_at
        -- The window ends with a day; the working day after it.
        or arrived_at >= after_business_days(opened.due_at - interval '1 second', 1)
    ) then
        raise exception 'the dispute window of period % ended on %; the sheet was filed on % and loaded on %',
            p_period_id, to_char(opened.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), p_filed_on,
            to_char(arrived_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
            using column = 'filed_on',
            hint = 'after the lock record it with `kefu dispute submit`, which leads to a restatement; dismiss this row';
    end if;
    return write_dispute(
        now_at, p_agent_key, p_object_kind, p_object_key, p_claim, p_sheet_key, p_filed_by, p_filed_on
    );
end $$;

-- Somebody takes a dispute up: from here its evidence is collected, and the time to decide runs.
create function payroll.triage_dispute(p_dispute_id bigint, p_note text) returns void
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    found_row constant dispute_status := expect_dispute(p_dispute_id, 'triage', 'submitted');
    due constant timestamptz := after_business_days(
        clock(), number_of(period_body(found_row.period_id), 'dispute', 'decision_days')::integer
    );
begin
    perform enter_dispute(p_dispute_id, 'triage', 1, due, null, p_note);
    perform enter_dispute(p_dispute_id, 'evidence', 1, due, null, p_note);
end $$;

create function payroll.add_evidence(p_dispute_id bigint, p_note text) returns void
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    found_row constant dispute_status := expect_dispute(p_dispute_id, 'evidence', 'evidence', 'second_level');
begin
    perform enter_dispute(p_dispute_id, found_row.state, found_row.level, found_row.due_at, null, p_note);
end $$;

create function payroll.decide_dispute(p_dispute_id bigint, p_outcome text, p_note text) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    found_row constant dispute_status := expect_dispute(p_dispute_id, 'a decision', 'evidence', 'second_level');
    person constant text := person_connected();
    excludes constant boolean := p_outcome in ('row_excluded', 'rescored_blind');
    excluded_kind constant text := case found_row.object_kind when 'gate' then 'fact' else found_row.row_kind end;
    excluded_key constant text := coalesce(found_row.fact_key, found_row.row_key);
    last ops.row_exclusion;
    written ops.row_exclusion;
begin
    if coalesce(found_row.scorer_key, found_row.filed_by) is not null and person is null then
        raise exception 'nobody knows whose login % is, so it cannot decide about a %', session_user,
            case when found_row.scorer_key is null then 'dispute that ' || found_row.filed_by || ' filed'
            else 'score of ' || found_row.scorer_key end using hint = 'record it with `kefu dispute person`';
    end if;
    if person in (found_row.scorer_key, found_row.verifier_key, found_row.agent_key) then
        raise exception 'dispute % is about a score that % gave or got; another person decides', p_dispute_id, person;
    end if;
    if person = found_row.filed_by then
        raise exception 'dispute % was filed by %; another person decides', p_dispute_id, person;
    end if;
    if exists (
        select 1 from dispute as d where d.dispute_id = p_dispute_id and d.submitted_by = session_user
    ) or exists (
        select 1 from dispute_event as e
        where e.dispute_id = p_dispute_id and e.state = 'decision' and e.actor = session_user
    ) or exists (
        select 1 from transition as t
        where t.period_id = found_row.period_id and t.version = found_row.version and t.state = 'calculated'
            and t.actor = session_user and found_row.object_kind <> 'row'
    ) then
        raise exception 'dispute % was submitted, decided or calculated by % and cannot be decided by the same login',
            p_dispute_id, session_user using hint = 'another person decides';
    end if;
    if excludes and excluded_key is null then
        raise exception 'dispute % is about a %; only a row can be excluded or scored again', p_dispute_id,
            found_row.object_kind;
    end if;
    if p_outcome = 'rescored_blind' and excluded_kind <> 'review' then
        raise exception 'dispute % is about %; only a review can be scored again', p_dispute_id,
            case excluded_kind
                when 'rating' then 'a rating of a customer' when 'fact' then 'the fact behind a gate'
                else 'a day of attendance'
            end
            using hint = 'decide row_excluded, value_corrected or upheld';
    end if;
    perform enter_dispute(
        p_dispute_id, 'decision', found_row.level,
        case when found_row.level = 1 then after_business_days(
            clock(), number_of(period_body(found_row.period_id), 'dispute', 'appeal_days')::integer
        ) else clock() end,
        p_outcome, p_note
    );
    if excluded_key is not null then
        select x.* into last from ops.row_exclusion as x
        where x.row_kind = excluded_kind and x.row_key = excluded_key
        order by x.exclusion_id desc limit 1;
        -- A row comes back only by the dispute that took it out.
        if excludes <> coalesce(last.is_excluded, false) and (excludes or last.dispute_id = p_dispute_id) then
            insert into ops.row_exclusion (row_kind, row_key, dispute_id, is_excluded, decided_by, decided_at)
            values (excluded_kind, excluded_key, p_dispute_id, excludes, session_user, clock())
            returning * into written;
            perform write_audit('exclude', 'row exclusion ' || written.exclusion_id, to_jsonb(written));
        end if;
    end if;
    if found_row.level = 2 then
        perform enter_dispute(p_dispute_id, 'closed', 2, null, null, 'decided on the second level');
    end if;
end $$;

-- Once, and only while the time to appeal runs.
create function payroll.appeal_dispute(p_dispute_id bigint, p_note text) returns void
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    found_row constant dispute_status := expect_dispute(p_dispute_id, 'an appeal', 'decision');
begin
    if found_row.level = 2 or found_row.due_at <= clock() then
        raise exception 'the decision of dispute % is final', p_dispute_id;
    end if;
    perform enter_dispute(
        p_dispute_id, 'second_level', 2,
        after_business_days(
            clock(), number_of(period_body(found_row.period_id), 'dispute', 'decision_days')::integer
        ), null, p_note
    );
end $$;

-- The agent accepts the decision before the time to appeal is over, or takes the dispute back.
create function payroll.close_dispute(p_dispute_id bigint, p_note text) returns void
language plpgsql security definer set search_path = payroll, pg_temp as $$
declare
    found_row constant dispute_status := expect_dispute(
        p_dispute_id, 'closing it', 'submitted', 'evidence', 'decision', 'second_level'
    );
begin
    perform enter_dispute(p_dispute_id, 'closed', found_row.level, null, null, p_note);
end $$;

create function payroll.record_person(p_login text, p_agent_key text) returns void
language plpgsql security definer set search_path = payroll, pg_temp set timezone = 'UTC' as $$
declare
    written login_person;
begin
    if p_login = session_user then
        raise exception '% cannot say whose login it is', session_user using hint = 'another person records it';
    end if;
    insert into login_person (login, agent_key, recorded_by, recorded_at)
    values (p_login, p_agent_key, session_user, clock())
    returning * into written;
    perform write_audit('person', 'login ' || written.login_person_id, to_jsonb(written));
end $$;

-- --- what later periods read ----------------------------------------------------------------------------------------

-- What was announced is never changed backwards (reliability.md 3.2), so this alone stays with the first version.
create view payroll.closed_reliability as
select r.*
from payroll.snapshot_reliability as r
where r.version = 1;

create view payroll.closed_estimate as
select e.*
from payroll.snapshot_estimate as e
join payroll.closed_period as c on e.period_id = c.period_id and e.version = c.version;

create view payroll.closed_score as
select
    s.period_id, s.version, s.agent_key, s.agent_name, s.team_key, s.plan_id, s.plan_version, s.cohort_key, s.status,
    s.composite, s.composite_before_gates, s.composite_unadjusted, s.interval_low, s.interval_high, s.grade,
    s.own_data_weight, s.worked_share, s.coefficient, s.base_fen, s.bonus_fen, s.piece_fen, s.adjustment_fen,
    s.held_fen, s.pool_share, s.amount_fen, s.score ->> 'gates_zh' as gates_zh, s.score ->> 'gates_en' as gates_en,
    s.payment ->> 'reason_zh' as reason_zh, s.payment ->> 'reason_en' as reason_en
from payroll.snapshot as s
join payroll.closed_period as c on s.period_id = c.period_id and s.version = c.version;

-- Only the lines that add up to the composite.
create view payroll.closed_component as
select s.*
from payroll.snapshot_component as s
join payroll.closed_period as c on s.period_id = c.period_id and s.version = c.version
where s.is_adjusted;

grant select on payroll.closed_reliability, payroll.closed_estimate, payroll.closed_score, payroll.closed_component,
payroll.approved_adjustment, payroll.dispute_status, ops.row_exclusion to kefu_transformer;
grant select on payroll.adjustment, payroll.adjustment_decision, payroll.approved_adjustment to kefu_payroll_clerk;

do $$
declare
    signature regprocedure;
begin
    for signature in
        select oid::regprocedure from pg_proc
        where pronamespace = 'payroll'::regnamespace and proname in (
            'current_state', 'calculation_of', 'enter', 'expect', 'refuse_who', 'refuse_plan_author', 'result_hash',
            'expect_result', 'write_adjustments', 'enter_dispute', 'disputed_object', 'write_dispute',
            'expect_dispute', 'in_force', 'period_body', 'number_of', 'definition_hash', 'period_ends_at',
            'after_business_days', 'audit_row', 'person_connected', 'is_waived'
        )
    loop
        execute format('revoke all on function %s from public', signature);
    end loop;
    for signature in
        select oid::regprocedure from pg_proc
        where pronamespace = 'payroll'::regnamespace and proname in (
            'cut', 'record_calculation', 'waive', 'review', 'publish', 'approve', 'lock', 'record_export', 'restate',
            'submit_dispute', 'file_dispute', 'triage_dispute', 'add_evidence', 'decide_dispute', 'appeal_dispute',
            'close_dispute', 'record_person', 'acknowledge', 'decide_adjustment', 'accept_fallback', 'undecided'
        )
    loop
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to %s', signature, case
            when signature::text like 'payroll.acknowledge(%' then 'kefu_payroll_clerk'
            when signature::text like 'payroll.file_dispute(%' then 'kefu_loader'
            when signature::text like 'payroll.decide_adjustment(%' then 'kefu_hr_approver'
            else 'kefu_payroll'
        end);
    end loop;
end $$;
grant execute on function payroll.undecided to kefu_auditor;
grant usage on schema payroll to kefu_loader;
-- Why a row of a sheet is not filed changes while it waits.
grant update (locator, field, found, expected, remedy) on ops.quarantine to kefu_loader;
