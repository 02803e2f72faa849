-- Rows are metric values without a value and a reason, or with both.
select
    metric_id,
    unit_kind,
    unit_key,
    channel,
    period_id,
    value,
    null_reason
from {{ ref('metric_value') }}
where (value is null) <> (null_reason is not null)
