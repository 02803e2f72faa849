-- Where every metric of an agent is fully trusted, the adjusted score is the unadjusted one, metric by metric.
with components as (

    select * from {{ ref('score_component') }}

),

trusted as (

    select
        plan_id,
        agent_key
    from components
    where is_adjusted and metric_id <> 'neutral'
    group by plan_id, agent_key
    having bool_and(weight_factor = 1)

)

select
    components.plan_id,
    components.agent_key,
    components.metric_id
from components
inner join trusted
    on components.plan_id = trusted.plan_id and components.agent_key = trusted.agent_key
group by components.plan_id, components.agent_key, components.metric_id
having
    count(*) <> 2
    or min(components.effective_weight) <> max(components.effective_weight)
    or min(components.points) <> max(components.points)
