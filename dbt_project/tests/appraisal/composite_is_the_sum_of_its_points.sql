-- A published composite is the sum of its stored points, rounded once; every agent of a plan has a score row.
with points as (

    select
        plan_id,
        agent_key,
        round(sum(points) filter (where is_adjusted), 2) as composite,
        round(sum(points) filter (where not is_adjusted), 2) as composite_unadjusted
    from {{ ref('score_component') }}
    group by plan_id, agent_key

),

scores as (

    select * from {{ ref('score') }}

),

agents as (

    select
        plan_id,
        agent_key
    from {{ ref('int_plan_agent') }}

)

select
    agents.plan_id,
    agents.agent_key,
    scores.composite,
    points.composite as sum_of_points
from agents
left join scores
    on agents.plan_id = scores.plan_id and agents.agent_key = scores.agent_key
left join points
    on agents.plan_id = points.plan_id and agents.agent_key = points.agent_key
where
    scores.agent_key is null
    or points.agent_key is null
    or scores.composite <> points.composite
    or scores.composite_unadjusted <> points.composite_unadjusted
