-- Rows are agents whose published composite is not the sum of their points, or whose weights are not 100.
with components as (

    select
        plan_id,
        agent_key,
        is_adjusted,
        sum(points) as points,
        sum(effective_weight) as weights
    from {{ ref('score_component') }}
    group by plan_id, agent_key, is_adjusted

),

scores as (

    select
        plan_id,
        agent_key,
        composite,
        composite_unadjusted
    from {{ ref('score') }}

)

select
    components.plan_id,
    components.agent_key,
    components.is_adjusted,
    components.points,
    components.weights
from components
inner join scores
    on components.plan_id = scores.plan_id and components.agent_key = scores.agent_key
where
    components.weights <> 100
    or round(components.points, 2) <> case
        when components.is_adjusted then scores.composite
        else scores.composite_unadjusted
    end
