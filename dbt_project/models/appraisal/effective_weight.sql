with scored as (

    select * from {{ ref('scored_metric') }}

),

defaults as (

    select
        body #>> '{weights, scope}' as scope,
        (body #>> '{weights, cap}')::numeric as cap
    from ({{ current_config('defaults') }}) as current_defaults

),

-- The unadjusted weights answer what the score would be if every metric were fully trusted.
variants as (

    select
        scored.period_id,
        scored.plan_id,
        scored.agent_key,
        scored.metric_id,
        scored.dimension,
        scored.metric_type,
        scored.nominal_weight,
        variant.is_adjusted,
        scored.na_reason is not null as is_na,
        -- A metric that was not evaluated keeps its weight here; the score that uses it is withheld.
        case when variant.is_adjusted then coalesce(scored.weight_factor, 1) else 1 end as g
    from scored
    cross join (values (true), (false)) as variant (is_adjusted)

),

started as (

    select
        *,
        case when is_na then 0 else nominal_weight * g end as w0,
        not is_na and metric_type = 'objective' as is_objective_candidate,
        not is_na and metric_type <> 'objective' and g = 1 as is_trusted_candidate
    from variants

),

-- (a) freed weight goes to objective metrics of the same dimension, each up to the cap.
by_dimension as (

    select
        started.*,
        defaults.scope,
        defaults.cap,
        case
            when defaults.scope = 'dimension_first' and started.is_objective_candidate
                then started.nominal_weight * least(
                    defaults.cap - 1,
                    sum(started.nominal_weight - started.w0) over of_dimension
                    / sum(case when started.is_objective_candidate then started.nominal_weight end) over of_dimension
                )
            else 0
        end as added_in_dimension
    from started
    cross join defaults
    window of_dimension as (
        partition by started.period_id, started.plan_id, started.agent_key, started.is_adjusted, started.dimension
    )

),

left_over as (

    select
        *,
        case
            when scope = 'none' then 0
            else sum(nominal_weight - w0 - added_in_dimension) over (
                partition by period_id, plan_id, agent_key, is_adjusted
            )
        end as freed,
        case
            when is_objective_candidate then cap - (w0 + added_in_dimension) / nominal_weight
            else 0
        end as room
    from by_dimension

),

-- (b) then to all objective metrics: everyone rises by the same share of the own weight until the cap. The level is
-- the largest of the levels each prefix of the fullest metrics would allow.
levels as (

    select
        *,
        (
            freed - coalesce(
                sum(nominal_weight * room) over (
                    partition by period_id, plan_id, agent_key, is_adjusted
                    order by is_objective_candidate desc, room asc, metric_id asc
                    rows between unbounded preceding and 1 preceding
                ), 0
            )
        ) / nullif(
            sum(case when is_objective_candidate then nominal_weight else 0 end) over (
                partition by period_id, plan_id, agent_key, is_adjusted
                order by is_objective_candidate desc, room asc, metric_id asc
                rows between current row and unbounded following
            ), 0
        ) as level_here
    from left_over

),

in_plan as (

    select
        *,
        case
            when is_objective_candidate
                then nominal_weight * least(
                    room,
                    max(case when is_objective_candidate then level_here end) over (
                        partition by period_id, plan_id, agent_key, is_adjusted
                    )
                )
            else 0
        end as added_in_plan
    from levels

),

-- (c) then to subjective metrics that are fully trusted.
remaining as (

    select
        *,
        freed - sum(added_in_plan) over of_agent as still_freed,
        sum(case when is_trusted_candidate then nominal_weight end) over of_agent as trusted_weight
    from in_plan
    window of_agent as (partition by period_id, plan_id, agent_key, is_adjusted)

),

weighed as (

    select
        period_id,
        plan_id,
        agent_key,
        metric_id,
        is_adjusted,
        nominal_weight,
        g as weight_factor,
        w0 + added_in_dimension + added_in_plan
        + case
            when is_trusted_candidate then nominal_weight * least(cap - 1, greatest(still_freed, 0) / trusted_weight)
            else 0
        end as weight
    from remaining

),

-- What rounding to ten decimals takes or gives goes to the heaviest metric, so that the sum is exact.
rounded as (

    select
        *,
        round(sum(weight) over of_agent, 10) - sum(round(weight, 10)) over of_agent as residue,
        row_number() over (
            partition by period_id, plan_id, agent_key, is_adjusted
            order by weight desc, metric_id asc
        ) as weight_rank
    from weighed
    window of_agent as (partition by period_id, plan_id, agent_key, is_adjusted)

)

select
    period_id,
    plan_id,
    agent_key,
    metric_id,
    is_adjusted,
    nominal_weight,
    weight_factor,
    round(weight, 10) + case when weight_rank = 1 then residue else 0 end as effective_weight
from rounded
