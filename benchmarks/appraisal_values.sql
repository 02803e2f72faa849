-- A value of every metric of the plan for every agent, and the opinions behind the subjective ones. The draws are a hash
-- of the agent's number, so that every run has the same.
create function pg_temp.draw(p_key text) returns numeric language sql immutable as $$
    select (('x' || substr(md5(p_key), 1, 7))::bit(28)::integer)::numeric / 268435456
$$;

create temp table agent as
select
    n,
    'BA' || lpad(n::text, 5, '0') as agent_key
from generate_series(1, %(agents)s) as n;

delete from wh_kpi.metric_value
where unit_kind = 'agent' and period_kind = 'period' and channel = 'all' and unit_key like 'BA%%';

insert into wh_kpi.metric_value (
    unit_kind, unit_key, channel, metric_id, metric_version, period_kind, period_id, period_start, period_end, numerator,
    denominator, n, value, null_reason, as_of
)
select
    'agent', agent.agent_key, 'all', metrics.metric_id, metrics.metric_version, 'period', period.period_id,
    period.period_start, period.period_end,
    case
        when metrics.kind = 'sum' then round(300 + 500 * pg_temp.draw(agent.agent_key || metrics.metric_id))
        when metrics.metric_id = 'csat_rate' then round(30 * (0.7 + 0.3 * pg_temp.draw(agent.agent_key || 'csat')))
        when metrics.metric_id = 'exam_score' or metrics.metric_type = 'subjective'
            then round(12 * (60 + 40 * pg_temp.draw(agent.agent_key || metrics.metric_id)))
        when metrics.metric_id = 'avg_response_time' then round(400 * (20 + 200 * pg_temp.draw(agent.agent_key || 'art')))
        else round(400 * pg_temp.draw(agent.agent_key || metrics.metric_id))
    end,
    case
        when metrics.kind = 'sum' then null
        when metrics.metric_id = 'csat_rate' then 30
        when metrics.metric_id = 'exam_score' or metrics.metric_type = 'subjective' then 12
        else 400
    end,
    case
        when metrics.metric_id = 'csat_rate' then 30
        when metrics.metric_id = 'exam_score' or metrics.metric_type = 'subjective' then 12
        else 400
    end, 1, null, '2026-11-24'
from agent
cross join wh_staging.stg_cfg__plan_metric as planned
inner join wh_staging.stg_cfg__metric as metrics on planned.metric_id = metrics.metric_id
cross join wh_staging.stg_cfg__period as period;

insert into wh_appraisal.evidence_opinion (
    metric_id, row_key, contact_key, agent_key, rater_key, business_date, is_in_period, is_second, is_valid, row_value
)
select
    'csat_rate', 'bench:' || agent.n || '/' || k, 'bench:c' || agent.n || '/' || k, agent.agent_key, null,
    date '2026-11-02' + k %% 19, true, false, true,
    (pg_temp.draw(agent.agent_key || k) < 0.7 + 0.3 * pg_temp.draw(agent.agent_key || 'csat'))::integer
from agent
cross join generate_series(1, 30) as k
union all
select
    planned.metric_id, 'bench:' || agent.n || '/' || k || planned.metric_id, 'bench:c' || agent.n || '/' || k,
    agent.agent_key, 'Q' || (agent.n + k) %% 97, date '2026-11-02' + k %% 19, true, false, true,
    round(60 + 40 * pg_temp.draw(agent.agent_key || planned.metric_id || k), 2)
from agent
cross join generate_series(1, 12) as k
cross join wh_staging.stg_cfg__plan_metric as planned
inner join wh_staging.stg_cfg__metric as metrics on planned.metric_id = metrics.metric_id
where metrics.metric_type = 'subjective' and metrics.metric_id <> 'csat_rate';

insert into wh_appraisal.evidence_eligible (
    cohort_key, plan_id, conversation_key, agent_key, channel, is_invited, is_answered, wait_seconds, duration_seconds,
    is_transferred
)
select
    agents.cohort_key, agents.plan_id, 'bench:c' || agent.n || '/' || k, agent.agent_key, 'chat', true, k <= 30,
    round(120 * pg_temp.draw('w' || agent.n || k))::bigint, round(900 * pg_temp.draw('d' || agent.n || k))::bigint,
    k %% 7 = 0
from agent
inner join wh_intermediate.int_plan_agent as agents on agent.agent_key = agents.agent_key
cross join generate_series(1, 42) as k;

-- Every declared check has passed.
insert into ops.quality_result (
    calc_id, suite, expectation_id, duty, metric_id, severity, success, observed, threshold, failing_keys, reason_zh,
    reason_en, fixed_by, rule_version
)
select
    'live', suites.object_id, expectation ->> 'id', suites.body ->> 'duty', suites.body ->> 'metric_id',
    expectation ->> 'severity', true, '', '', '[]', '', '', '', 1
from cfg.object_version as suites
cross join lateral jsonb_array_elements(suites.body -> 'expectations') as expectation
where suites.kind = 'suite'
on conflict do nothing;

analyze wh_kpi.metric_value;
analyze wh_appraisal.evidence_opinion;
analyze wh_appraisal.evidence_eligible;
create table wh_kpi.bench_is_made (made boolean);
