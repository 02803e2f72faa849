-- A value is missing exactly when a reason is given: NULL is never 0 and never unexplained (metrics.md 1.5).
select
    metric_id,
    unit_kind,
    unit_key,
    channel,
    period_id,
    value,
    null_reason
from {{ ref('metric_value') }}
where
    (value is null) <> (null_reason is not null)
    or (value is null and interval_low is not null)
    or (interval_low is null) <> (interval_high is null)
    or (numerator is null and null_reason is null)
    or (numerator is not null and null_reason in ('source_missing', 'not_measured'))
    or (null_reason = 'no_denominator' and denominator <> 0)
