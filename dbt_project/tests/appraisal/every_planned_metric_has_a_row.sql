-- Every agent of a plan has a period row of every metric of the plan, with a score or a reason why there is none.
with planned as (

    select
        agents.plan_id,
        agents.agent_key,
        plan_metrics.metric_id
    from {{ ref('int_plan_agent') }} as agents
    inner join {{ ref('stg_cfg__plan_metric') }} as plan_metrics
        on agents.plan_id = plan_metrics.plan_id

),

scored as (

    select * from {{ ref('scored_metric') }}

)

select
    planned.plan_id,
    planned.agent_key,
    planned.metric_id
from planned
left join scored
    on
        planned.plan_id = scored.plan_id
        and planned.agent_key = scored.agent_key
        and planned.metric_id = scored.metric_id
where
    -- No version: the metric has no row for the agent.
    scored.metric_version is null
    -- Either a value enters the curve or a reason says why none does.
    or (scored.scored_value is null) <> (scored.na_reason is not null)
    or (scored.scored_value is null) <> (scored.curve_score is null)
