-- Reliability is estimated from exactly the valid ratings and reviews that the metric itself counts.
with evidence as (

    select
        'csat_rate' as metric_id,
        agent_key,
        count(*) as n
    from {{ ref('evidence_rating') }}
    where is_valid_for_score
    group by plan_id, agent_key

    union all

    select
        'qa_listening_score' as metric_id,
        agent_key,
        count(*) as n
    from {{ ref('evidence_review') }}
    where is_valid_for_score
    group by plan_id, agent_key

),

planned as (

    select
        agents.agent_key,
        plan_metrics.metric_id
    from {{ ref('int_plan_agent') }} as agents
    inner join {{ ref('stg_cfg__plan_metric') }} as plan_metrics
        on agents.plan_id = plan_metrics.plan_id
    where plan_metrics.metric_id in ('csat_rate', 'qa_listening_score')

),

metric_values as (

    select
        unit_key as agent_key,
        metric_id,
        n
    from {{ ref('metric_value') }}
    where unit_kind = 'agent' and channel = 'all' and period_kind = 'period'

)

select
    planned.agent_key,
    planned.metric_id,
    metric_values.n,
    evidence.n as n_of_evidence
from planned
left join metric_values
    on planned.agent_key = metric_values.agent_key and planned.metric_id = metric_values.metric_id
left join evidence
    on planned.agent_key = evidence.agent_key and planned.metric_id = evidence.metric_id
where coalesce(metric_values.n, 0) <> coalesce(evidence.n, 0)
