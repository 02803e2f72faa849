with plans as (

    select
        plan_id,
        plan_version,
        plan_metrics
    from {{ ref('stg_cfg__plan') }}

)

select
    plans.plan_id,
    plans.plan_version,
    entry.body ->> 'metric_id' as metric_id,
    (entry.body ->> 'weight')::numeric as nominal_weight,
    entry.body #>> '{curve, kind}' as curve_kind,
    entry.body #>> '{curve, direction}' = 'lower' as is_falling,
    plans.plan_id || '/' || (entry.body ->> 'metric_id') as curve_id,
    entry.body #> '{curve, knots}' as knots,
    entry.body #> '{curve, bands}' as bands,
    (entry.body ->> 'min_n')::integer as min_n,
    (entry.body ->> 'initial_g')::numeric as initial_g,
    (entry.body ->> 'quota')::integer as quota
from plans
cross join lateral jsonb_array_elements(plans.plan_metrics) as entry (body)
