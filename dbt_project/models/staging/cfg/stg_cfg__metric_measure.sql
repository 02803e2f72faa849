with versions as (

    select * from {{ ref('stg_cfg__metric_version') }}

),

roles as (

    select
        versions.metric_id,
        versions.metric_version,
        versions.valid_from,
        parts.part,
        parts.measures
    from versions
    cross join lateral (
        values
        ('numerator', versions.numerator_measures),
        ('denominator', versions.denominator_measures),
        ('n', versions.count_measures)
    ) as parts (part, measures)

)

select
    roles.metric_id,
    roles.metric_version,
    roles.valid_from,
    roles.part,
    measure.measure_id
from roles
cross join lateral jsonb_array_elements_text(roles.measures) as measure (measure_id)
