with plans as (

    select
        plan_id,
        plan_version,
        plan_metrics,
        stage_weights,
        overlays,
        weights_mode
    from {{ ref('stg_cfg__plan') }}

),

overlays as (

    select
        plans.plan_id,
        added.metric_id,
        jsonb_object_agg(entry.body ->> 'team_id', added.weight_points::numeric) as overlay_points
    from plans
    cross join lateral jsonb_array_elements(plans.overlays) as entry (body)
    cross join lateral jsonb_each_text(entry.body -> 'points') as added (metric_id, weight_points)
    group by plans.plan_id, added.metric_id

),

entries as (

    select
        plans.plan_id,
        plans.plan_version,
        plans.weights_mode,
        entry.body ->> 'metric_id' as metric_id,
        coalesce(
            plans.stage_weights ->> (entry.body ->> 'metric_id'), entry.body ->> 'weight'
        )::numeric as nominal_weight,
        entry.body
    from plans
    cross join lateral jsonb_array_elements(plans.plan_metrics) as entry (body)

)

select
    entries.plan_id,
    entries.plan_version,
    entries.metric_id,
    entries.nominal_weight,
    overlays.overlay_points,
    entries.body #>> '{curve, kind}' as curve_kind,
    coalesce(entries.body #>> '{curve, direction}' = 'lower', false) as is_falling,
    entries.plan_id || '/' || entries.metric_id as curve_id,
    entries.body -> 'curve' as curve,
    entries.body #> '{curve, knots}' as knots,
    entries.body #> '{curve, bands}' as bands,
    (entries.body ->> 'min_n')::integer as min_n,
    (entries.body ->> 'initial_g')::numeric as initial_g,
    (entries.body ->> 'quota')::integer as quota,
    entries.body #>> '{goal, zh}' as goal_zh,
    entries.body #>> '{goal, en}' as goal_en,
    entries.body ->> 'strategic_goal' as strategic_goal,
    coalesce(entries.body ->> 'mode', entries.weights_mode) as estimate_mode,
    (entries.body ->> 'is_ramped')::boolean as is_ramped
from entries
left join overlays
    on entries.plan_id = overlays.plan_id and entries.metric_id = overlays.metric_id
where entries.nominal_weight > 0
