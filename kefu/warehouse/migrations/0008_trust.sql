-- What the reliability of subjective metrics needs beside its parts: whose data it came from, the raters, waivers.
alter table stats.cohort_reliability
-- The larger cohort whose data stand in when this one is too small; NULL: its own.
add column borrowed_from text;

alter table stats.agent_estimate
-- Sum of the valid rows in the metric's unit; n and total are what later periods learn from.
add column total numeric,
add column half_width numeric,
-- Precision and offering of surveys, 0 to 1; rho_agent is the smaller one and weighs in mode `downweight` only.
add column f_prec numeric,
add column f_offer numeric,
add column rho_agent numeric,
-- Points the mean loses because lenient raters gave it, or gains because of severe ones; 0 without such raters.
add column rater_adjustment numeric;
alter table stats.agent_estimate drop constraint agent_estimate_pkey;
alter table stats.agent_estimate add primary key (calc_id, period_id, metric_id, cohort_key, agent_key);

-- One row per reviewer and metric of the last 90 days. NULL: could not be computed.
create table stats.rater_profile (
    calc_id text not null,
    period_id text not null,
    metric_id text not null,
    rater_key text collate "C" not null,
    n bigint not null,
    agents integer not null,
    mean_value numeric,
    pool_mean numeric,
    -- Effect of the additive model: points this rater gives above what agent and others explain.
    severity numeric,
    severity_error numeric,
    severity_shrunk numeric,
    t_value numeric,
    is_connected boolean not null,
    -- Points to take off the scores of this rater; 0 unless connected and flagged.
    adjustment numeric not null,
    sd_ratio numeric,
    sd_p_value numeric,
    top_share numeric,
    pool_top_share numeric,
    halo numeric,
    pool_halo numeric,
    identical_share numeric,
    calibrations bigint not null,
    drift numeric,
    drift_limit numeric,
    recent_share numeric,
    sample_p_value numeric,
    sample_covariate text,
    heaping_share numeric,
    doubles bigint not null,
    alpha numeric,
    alpha_low numeric,
    alpha_high numeric,
    icc numeric,
    icc_low numeric,
    icc_high numeric,
    ac1 numeric,
    -- {flag, zh, en} each, with the evidence in words.
    flags jsonb not null,
    primary key (calc_id, period_id, metric_id, rater_key)
);

-- Reviews to be scored a second time, blind, by a reviewer of another team.
create table stats.double_score_task (
    calc_id text not null,
    period_id text not null,
    review_key text collate "C" not null,
    conversation_key text,
    agent_key text not null,
    first_rater_key text not null,
    second_rater_key text not null,
    reason text not null check (reason in ('agent_minimum', 'share')),
    primary key (calc_id, period_id, review_key)
);

-- A metric that could not be evaluated blocks the close, unless one person names a g and another one approves it.
create table ops.reliability_waiver (
    waiver_id bigint generated always as identity primary key,
    metric_id text not null,
    cohort_key text not null,
    period_id text not null,
    weight_factor numeric not null check (weight_factor between 0 and 1),
    reason text not null check (length(reason) >= 5),
    requested_by text not null default session_user,
    requested_at timestamptz not null default clock_timestamp()
);

create table ops.reliability_waiver_approval (
    waiver_id bigint primary key references ops.reliability_waiver,
    approved_by text not null default session_user,
    approved_at timestamptz not null default clock_timestamp()
);

create function ops.refuse_own_waiver() returns trigger language plpgsql as $$
begin
    if new.approved_by = (select requested_by from ops.reliability_waiver where waiver_id = new.waiver_id) then
        raise exception 'waiver % was requested by %, and nobody approves an own waiver', new.waiver_id, new.approved_by
            using hint = 'let another person approve it';
    end if;
    return new;
end
$$;
create trigger reliability_waiver_maker_is_not_checker before insert on ops.reliability_waiver_approval
for each row execute function ops.refuse_own_waiver();

select payroll.make_append_only('ops.reliability_waiver');
select payroll.make_append_only('ops.reliability_waiver_approval');

grant select, insert, delete on stats.rater_profile, stats.double_score_task to kefu_transformer;
grant select on ops.reliability_waiver, ops.reliability_waiver_approval to kefu_transformer;
grant select, insert (metric_id, cohort_key, period_id, weight_factor, reason)
on ops.reliability_waiver to kefu_payroll;
grant select, insert (waiver_id) on ops.reliability_waiver_approval to kefu_plan_approver;
grant select on ops.reliability_waiver to kefu_plan_approver;
