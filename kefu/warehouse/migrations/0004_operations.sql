-- Runs, build results, quality results, overrides, publications.
create table ops.run (
    run_id text primary key,
    kind text not null,
    started_at timestamptz not null default clock_timestamp(),
    completed_at timestamptz,
    status text not null default 'running' check (status in ('running', 'succeeded', 'failed')),
    detail jsonb
);

create table ops.build_result (
    run_id text not null references ops.run,
    calc_id text not null,
    node text not null,
    status text not null,
    execution_seconds numeric not null,
    rows_affected bigint,
    message text,
    primary key (run_id, calc_id, node)
);

create table ops.quality_result (
    calc_id text not null,
    suite text not null,
    expectation_id text not null,
    duty text not null check (duty in ('fitness', 'band')),
    metric_id text,
    cohort_key text,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    success boolean not null,
    observed text not null,
    threshold text not null,
    failing_keys jsonb not null,
    reason_zh text not null,
    reason_en text not null,
    fixed_by text not null,
    rule_version integer not null,
    primary key (calc_id, suite, expectation_id)
);

create table ops.reliability_override (
    override_id bigint generated always as identity primary key,
    metric_id text not null,
    cohort_key text not null,
    period_id text not null,
    weight_factor numeric not null check (weight_factor between 0 and 1),
    reason text not null,
    decided_by text not null default session_user,
    decided_at timestamptz not null default clock_timestamp()
);
create trigger reliability_override_append_only before update or delete on ops.reliability_override
for each row execute function ops.refuse_change();
create trigger reliability_override_no_truncate before truncate on ops.reliability_override
for each statement execute function ops.refuse_change();

create table ops.publication (
    publication_id bigint generated always as identity primary key,
    data_cut bigint not null,
    as_of timestamptz not null,
    period_id text not null,
    period_mode text not null check (period_mode in ('demo', 'real')),
    config_hash text not null,
    content_hash text not null,
    gates jsonb not null,
    withheld boolean not null,
    published_at timestamptz not null default clock_timestamp()
);

grant select, insert, update on ops.run to kefu_transformer, kefu_loader;
grant select, insert, update on ops.build_result to kefu_transformer;
grant select, insert on ops.publication to kefu_transformer;
grant select, insert, delete on ops.quality_result to kefu_transformer;
grant select on ops.reliability_override to kefu_transformer;
grant select on ops.publication to kefu_bi;
grant select, insert (metric_id, cohort_key, period_id, weight_factor, reason)
on ops.reliability_override to kefu_payroll;
