with metrics as (

    select
        metric_id,
        numerator_measures,
        denominator_measures,
        count_measures
    from {{ ref('stg_cfg__metric') }}

),

roles as (

    select
        metrics.metric_id,
        parts.part,
        parts.measures
    from metrics
    cross join lateral (
        values
        ('numerator', metrics.numerator_measures),
        ('denominator', metrics.denominator_measures),
        ('n', metrics.count_measures)
    ) as parts (part, measures)

)

select
    roles.metric_id,
    roles.part,
    measure.measure_id
from roles
cross join lateral jsonb_array_elements_text(roles.measures) as measure (measure_id)
