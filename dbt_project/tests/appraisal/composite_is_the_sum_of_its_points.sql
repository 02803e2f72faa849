-- A composite before gates is the sum of the stored points of all stints, rounded once; every agent of a plan has a
-- score row, and the shares of the stints add up to 1.
with points as (

    select
        agent_key,
        round(sum(points) filter (where is_adjusted), 2) as composite,
        round(sum(points) filter (where not is_adjusted), 2) as composite_unadjusted
    from {{ ref('score_component') }}
    group by agent_key

),

scores as (

    select * from {{ ref('score') }}

),

agents as (

    select
        agent_key,
        sum(stint_share) as all_stints
    from {{ ref('int_plan_agent') }}
    group by agent_key

)

select
    agents.agent_key,
    scores.composite_before_gates,
    points.composite as sum_of_points
from agents
left join scores
    on agents.agent_key = scores.agent_key
left join points
    on agents.agent_key = points.agent_key
where
    scores.agent_key is null
    or points.agent_key is null
    or agents.all_stints <> 1
    or scores.composite_before_gates <> points.composite
    or scores.composite_unadjusted <> points.composite_unadjusted
