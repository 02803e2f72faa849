with scored as (

    select * from {{ ref('scored_metric') }}

),

plans as (

    select
        plan_id,
        weights_scope as scope,
        weights_cap as cap,
        substitutions
    from {{ ref('stg_cfg__plan') }}

),

-- Who has a confirmed finding is weighed a third time, as if there were none: no finding may ever be a benefit.
suspects as (

    select
        plan_id,
        agent_key
    from scored
    where is_kept
    group by plan_id, agent_key

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
        plans.scope,
        plans.cap,
        variant.weight_variant,
        scored.na_reason is not null and (scored.is_kept is not true or variant.weight_variant = 'unflagged') as is_na,
        -- A metric that was not evaluated keeps its weight here; the score that uses it is withheld.
        case
            when variant.weight_variant = 'unadjusted' then 1
            when scored.is_kept and variant.weight_variant = 'adjusted' then coalesce(scored.cohort_factor, 1)
            else coalesce(scored.weight_factor, 1)
        end as g
    from scored
    inner join plans
        on scored.plan_id = plans.plan_id
    left join suspects
        on scored.plan_id = suspects.plan_id and scored.agent_key = suspects.agent_key
    inner join (values ('adjusted'), ('unadjusted'), ('unflagged')) as variant (weight_variant)
        on variant.weight_variant <> 'unflagged' or suspects.agent_key is not null

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
        *,
        case
            when scope = 'dimension_first' and is_objective_candidate
                then nominal_weight * least(
                    cap - 1,
                    sum(nominal_weight - w0) over of_dimension
                    / sum(case when is_objective_candidate then nominal_weight end) over of_dimension
                )
            else 0
        end as added_in_dimension
    from started
    window of_dimension as (partition by plan_id, agent_key, weight_variant, dimension)

),

left_over as (

    select
        *,
        case
            when scope in ('none', 'table') then 0
            else sum(nominal_weight - w0 - added_in_dimension) over (partition by plan_id, agent_key, weight_variant)
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
                    partition by plan_id, agent_key, weight_variant
                    order by is_objective_candidate desc, room asc, metric_id asc
                    rows between unbounded preceding and 1 preceding
                ), 0
            )
        ) / nullif(
            sum(case when is_objective_candidate then nominal_weight else 0 end) over (
                partition by plan_id, agent_key, weight_variant
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
                        partition by plan_id, agent_key, weight_variant
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
    window of_agent as (partition by plan_id, agent_key, weight_variant)

),

-- Scope `table`: each freed weight goes where the plan's published table says, in its shares; what finds no room under
-- the cap, or names a metric that has no data or no trust of its own, stays neutral.
substitutes as (

    select
        started.plan_id,
        started.agent_key,
        started.weight_variant,
        receiver.metric_id,
        sum((started.nominal_weight - started.w0) * receiver.share) as substituted
    from started
    inner join plans
        on started.plan_id = plans.plan_id
    cross join lateral jsonb_array_elements(plans.substitutions) as entry (body)
    cross join lateral jsonb_to_recordset(entry.body -> 'to') as receiver (metric_id text, share numeric)
    where plans.scope = 'table' and started.metric_id = entry.body ->> 'metric_id'
    group by started.plan_id, started.agent_key, started.weight_variant, receiver.metric_id

),

weighed as (

    select
        remaining.period_id,
        remaining.plan_id,
        remaining.agent_key,
        remaining.metric_id,
        remaining.weight_variant,
        remaining.nominal_weight,
        remaining.g as weight_factor,
        remaining.w0 + remaining.added_in_dimension + remaining.added_in_plan
        + case
            when remaining.is_trusted_candidate
                then
                    remaining.nominal_weight
                    * least(remaining.cap - 1, greatest(remaining.still_freed, 0) / remaining.trusted_weight)
            else 0
        end
        + case
            when remaining.is_objective_candidate or remaining.is_trusted_candidate
                then least((remaining.cap - 1) * remaining.nominal_weight, coalesce(substitutes.substituted, 0))
            else 0
        end as weight
    from remaining
    left join substitutes
        on
            remaining.plan_id = substitutes.plan_id
            and remaining.agent_key = substitutes.agent_key
            and remaining.weight_variant = substitutes.weight_variant
            and remaining.metric_id = substitutes.metric_id

),

-- What rounding to ten decimals takes or gives goes to the heaviest metric, so that the sum is exact.
rounded as (

    select
        *,
        round(sum(weight) over of_agent, 10) - sum(round(weight, 10)) over of_agent as residue,
        row_number() over (
            partition by plan_id, agent_key, weight_variant
            order by weight desc, metric_id asc
        ) as weight_rank
    from weighed
    window of_agent as (partition by plan_id, agent_key, weight_variant)

)

select
    period_id,
    plan_id,
    agent_key,
    metric_id,
    weight_variant,
    weight_variant = 'adjusted' as is_adjusted,
    nominal_weight,
    weight_factor,
    round(weight, 10) + case when weight_rank = 1 then residue else 0 end as effective_weight
from rounded
