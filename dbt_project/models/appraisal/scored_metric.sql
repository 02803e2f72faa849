with plan_metrics as (

    select * from {{ ref('stg_cfg__plan_metric') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

value_rows as (

    select *
    from {{ ref('metric_value') }}
    where unit_kind = 'agent' and period_kind = 'period' and channel = 'all'

),

estimates as (

    select *
    from {{ source('stats', 'agent_estimate') }}
    where calc_id = '{{ var("calc_id") }}'

),

reliability as (

    select * from {{ ref('metric_reliability') }}

),

valued as (

    select
        agents.period_id,
        agents.plan_id,
        agents.plan_version,
        agents.agent_key,
        agents.team_key,
        agents.cohort_key,
        plan_metrics.metric_id,
        value_rows.metric_version,
        plan_metrics.curve_id,
        plan_metrics.curve_kind,
        plan_metrics.is_falling,
        plan_metrics.knots,
        plan_metrics.bands,
        plan_metrics.nominal_weight,
        metrics.dimension,
        metrics.metric_type,
        metrics.kind,
        value_rows.n,
        case when metrics.metric_type = 'subjective' then reliability.weight_factor else 1 end as weight_factor,
        reliability.state,
        reliability.reason_zh as reliability_zh,
        reliability.reason_en as reliability_en,
        case
            when metrics.kind = 'sum' then value_rows.numerator
            else value_rows.numerator / nullif(value_rows.denominator, 0)
        end as raw_value,
        estimates.shrunk_value,
        coalesce(estimates.interval_low, value_rows.interval_low) as interval_low,
        coalesce(estimates.interval_high, value_rows.interval_high) as interval_high,
        -- A subjective metric with few rows keeps its weight and uses the shrunk value (reliability.md 4.1).
        case
            when value_rows.null_reason in ('not_measured', 'source_missing') then 'not_measured'
            when metrics.metric_type = 'subjective' and estimates.shrunk_value is not null then null
            when coalesce(value_rows.n, 0) = 0 then 'not_applicable'
            when value_rows.n < coalesce(plan_metrics.min_n, metrics.min_n) then 'below_min_n'
        end as na_reason
    from agents
    inner join plan_metrics
        on agents.plan_id = plan_metrics.plan_id and agents.plan_version = plan_metrics.plan_version
    inner join metrics
        on plan_metrics.metric_id = metrics.metric_id
    left join value_rows
        on agents.agent_key = value_rows.unit_key and plan_metrics.metric_id = value_rows.metric_id
    left join estimates
        on
            agents.period_id = estimates.period_id
            and agents.agent_key = estimates.agent_key
            and plan_metrics.metric_id = estimates.metric_id
    left join reliability
        on
            agents.period_id = reliability.period_id
            and agents.cohort_key = reliability.cohort_key
            and plan_metrics.metric_id = reliability.metric_id

),

scored as (

    select
        *,
        case
            when na_reason is null
                then case when metric_type = 'subjective' then shrunk_value else raw_value end
        end as scored_value
    from valued

)

select
    scored.*,
    {{ curve_score('scored.scored_value', 'scored') }} as curve_score,
    {{ curve_score('scored.interval_low', 'scored') }} as curve_score_low,
    {{ curve_score('scored.interval_high', 'scored') }} as curve_score_high
from scored
