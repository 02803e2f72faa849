with objects as (

    {{ current_config('plan') }}

),

applied as (

    select
        object_id,
        version,
        applied_by
    from {{ source('cfg', 'object_version') }}
    where kind = 'plan'

),

defaults as (

    select body
    from ({{ current_config('defaults') }}) as current_defaults

),

periods as (

    select
        period_id,
        period_start,
        plan_ids
    from {{ ref('stg_cfg__period') }}

),

site as (

    select
        time_zone,
        day_cutover
    from {{ ref('stg_cfg__site') }}

),

approvals as (

    select
        plan_id,
        version,
        content_hash,
        approved_by,
        approved_at
    from {{ source('cfg', 'plan_approval') }}

),

-- The last stage that has begun when the period starts.
stages as (

    select
        objects.object_id,
        (
            array_agg(entry.body order by (entry.body ->> 'from')::date desc)
            filter (where (entry.body ->> 'from')::date <= periods.period_start)
        )[1] as body
    from objects
    cross join periods
    cross join lateral jsonb_array_elements(objects.body -> 'stages') as entry (body)
    group by objects.object_id

)

select
    objects.object_id as plan_id,
    objects.version as plan_version,
    objects.content_hash as plan_hash,
    objects.body #>> '{name, zh}' as name_zh,
    objects.body #>> '{name, en}' as name_en,
    objects.body ->> 'mode' as plan_mode,
    objects.body ->> 'role' as role,
    objects.body -> 'teams' as team_ids,
    objects.body ->> 'strategy' as strategy,
    periods.period_id,
    applied.applied_by,
    approvals.approved_by,
    approvals.approved_at,
    coalesce(
        approvals.approved_by <> applied.applied_by
        and approvals.approved_at < (periods.period_start + site.day_cutover) at time zone site.time_zone,
        false
    ) as is_approved_in_time,
    objects.body -> 'metrics' as plan_metrics,
    objects.body -> 'grades' as grades,
    stages.body ->> 'stage_id' as stage_id,
    stages.body -> 'weights' as stage_weights,
    objects.body -> 'overlays' as overlays,
    objects.body -> 'strategic_goals' as strategic_goals,
    coalesce(objects.body #>> '{weights, scope}', defaults.body #>> '{weights, scope}') as weights_scope,
    coalesce(objects.body #>> '{weights, cap}', defaults.body #>> '{weights, cap}')::numeric as weights_cap,
    coalesce(objects.body #>> '{weights, mode}', defaults.body #>> '{weights, mode}') as weights_mode,
    coalesce(
        objects.body #>> '{weights, min_own_data}', defaults.body #>> '{weights, min_own_data}'
    )::numeric as min_own_data,
    objects.body #> '{weights, substitutions}' as substitutions,
    coalesce(nullif(objects.body #> '{new_hire, ramp}', 'null'), defaults.body -> 'ramp') as ramp,
    coalesce((objects.body #>> '{new_hire, gate_free_days}')::integer, 30) as gate_free_days,
    objects.body -> 'gates' as gates,
    (objects.body #>> '{pay, base_fen}')::bigint as base_fen,
    case
        when objects.body ? 'pay'
            then coalesce(nullif(objects.body #> '{pay, coef}', 'null'), defaults.body #> '{coef, knots}')
    end as coef_knots,
    objects.body #>> '{pay, piece, metric_id}' as piece_metric_id,
    (objects.body #>> '{pay, piece, baseline}')::numeric as piece_baseline,
    (objects.body #>> '{pay, piece, unit_rate_fen}')::numeric as piece_unit_rate_fen,
    objects.body #>> '{pay, piece, quality_metric_id}' as piece_quality_metric_id,
    case
        when objects.body #>> '{pay, piece, metric_id}' is not null
            then coalesce(nullif(objects.body #> '{pay, piece, k_qa}', 'null'), defaults.body #> '{piece, k_qa}')
    end as piece_k_qa,
    (objects.body #>> '{pay, pool, budget_fen}')::bigint as pool_budget_fen,
    coalesce((objects.body #>> '{pay, hold_under_review}')::boolean, false) as is_held_under_review,
    nullif(objects.body -> 'forced_distribution', 'null') as forced_distribution,
    coalesce(
        objects.body ->> 'insufficient_evidence_fallback', 'last_composites'
    ) as insufficient_evidence_fallback
from objects
inner join periods on periods.plan_ids ? objects.object_id
inner join applied
    on objects.object_id = applied.object_id and objects.version = applied.version
left join site on true
left join defaults on true
left join stages on objects.object_id = stages.object_id
left join approvals
    on
        objects.object_id = approvals.plan_id
        and objects.version = approvals.version
        and objects.content_hash = approvals.content_hash
