-- The value over all channels is pooled from the channels, for every metric, unit, day and period.
select
    metric_id,
    unit_kind,
    unit_key,
    period_kind,
    period_id
from {{ ref('metric_value') }}
group by metric_id, unit_kind, unit_key, period_kind, period_id
having
    count(*) filter (where channel = 'all') <> 1
    or coalesce(sum(numerator) filter (where channel = 'all'), 0)
    <> coalesce(sum(numerator) filter (where channel <> 'all'), 0)
    or coalesce(sum(denominator) filter (where channel = 'all'), 0)
    <> coalesce(sum(denominator) filter (where channel <> 'all'), 0)
    or coalesce(sum(n) filter (where channel = 'all'), 0) <> coalesce(sum(n) filter (where channel <> 'all'), 0)
