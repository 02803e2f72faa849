-- The interval of a share lies within 0 to 1 and holds the share itself.
select
    metric_id,
    unit_kind,
    unit_key,
    channel,
    period_id,
    interval_low,
    value,
    interval_high
from {{ ref('metric_value') }}
where
    interval_low is not null
    -- The ends are computed with many decimals; the last one is not worth an alarm.
    and not (
        interval_low >= -1e-12
        and interval_low <= value + 1e-12
        and value <= interval_high + 1e-12
        and interval_high <= 1 + 1e-12
    )
