-- The effective weights of an agent, neutral weight included, add up to 100 exactly, in both variants; so
-- do the weights as people read them.
select
    period_id,
    plan_id,
    agent_key,
    is_adjusted,
    sum(effective_weight) as weight
from {{ ref('score_component') }}
group by period_id, plan_id, agent_key, is_adjusted
having sum(effective_weight) <> 100 or min(effective_weight) < 0 or sum(shown_weight) <> 100
