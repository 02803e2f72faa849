-- An interval holds its value and no value that the metric cannot have.
select
    metric_values.metric_id,
    metric_values.unit_kind,
    metric_values.unit_key,
    metric_values.channel,
    metric_values.period_id,
    metric_values.interval_low,
    metric_values.value,
    metric_values.interval_high
from {{ ref('metric_value') }} as metric_values
inner join {{ ref('stg_cfg__metric_version') }} as versions
    on
        metric_values.metric_id = versions.metric_id
        and metric_values.metric_version = versions.metric_version
where
    metric_values.interval_low is not null
    -- The ends of means are rounded to 9 decimals.
    and not (
        metric_values.interval_low <= metric_values.value + 1e-9
        and metric_values.value <= metric_values.interval_high + 1e-9
        and metric_values.interval_low >= coalesce(versions.lowest, '-infinity') - 1e-9
        and metric_values.interval_high <= coalesce(versions.highest, 'infinity') + 1e-9
    )
