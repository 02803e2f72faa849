with topics as (

    {{ current_config('measures') }}

)

select
    measure.measure_id,
    measure.body ->> 'fact' as fact,
    coalesce(measure.body ->> 'aggregate', 'sum') as aggregation,
    measure.body ->> 'attribution' as attribution,
    measure.body ->> 'credit' as credit,
    topics.body #> array['facts', measure.body ->> 'fact', 'units'] ? 'site' as has_own_site
from topics
cross join lateral jsonb_each(topics.body -> 'measures') as measure (measure_id, body)
