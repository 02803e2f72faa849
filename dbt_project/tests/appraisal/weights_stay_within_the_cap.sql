-- No metric grows above the cap times its own weight; one that is not fully trusted keeps exactly weight times factor;
-- one that is not scored has none (reliability.md 4.2).
with components as (

    select *
    from {{ ref('score_component') }}
    where metric_id <> 'neutral'

),

plans as (

    select
        plan_id,
        weights_cap as cap
    from {{ ref('stg_cfg__plan') }}

)

select
    components.plan_id,
    components.agent_key,
    components.metric_id,
    components.is_adjusted,
    components.nominal_weight,
    components.weight_factor,
    components.effective_weight
from components
inner join plans
    on components.plan_id = plans.plan_id
where
    -- What rounding to ten decimals leaves over goes to one metric, so the limits hold to nine.
    components.effective_weight > components.nominal_weight * plans.cap + 1e-9
    or (components.na_reason is not null and components.effective_weight > 1e-9)
    or (
        components.is_adjusted
        and components.na_reason is null
        and components.weight_factor < 1
        and abs(components.effective_weight - components.nominal_weight * components.weight_factor) > 1e-9
    )
