with metric_values as (

    select * from {{ ref('metric_value') }}
    where unit_kind in ('team', 'site') and period_kind in ('month', 'period')

),

metrics as (

    select * from {{ ref('stg_cfg__metric_version') }}

),

targets as (

    select * from {{ ref('stg_cfg__metric_target') }}

),

aimed as (

    select
        metric_values.unit_kind,
        metric_values.unit_key,
        metric_values.channel,
        metric_values.metric_id,
        metric_values.metric_version,
        metrics.direction,
        metric_values.period_kind,
        metric_values.period_id,
        metric_values.period_start,
        metric_values.period_end,
        metric_values.n,
        metric_values.value,
        metric_values.null_reason,
        -- A ramp goes from one target to the next by the day; a range is held against its last day.
        targets.start_value + coalesce(
            (targets.end_value - targets.start_value)
            * (metric_values.period_end - targets.valid_from) / targets.ramp_days,
            0
        ) as target,
        targets.tolerance
    from metric_values
    inner join metrics
        on
            metric_values.metric_id = metrics.metric_id
            and metric_values.metric_version = metrics.metric_version
    inner join targets
        on
            metric_values.metric_id = targets.metric_id
            and metric_values.period_end between targets.valid_from and targets.valid_to

)

select
    unit_kind,
    unit_key,
    channel,
    metric_id,
    metric_version,
    direction,
    period_kind,
    period_id,
    period_start,
    period_end,
    n,
    value,
    trim_scale(target) as target,
    tolerance,
    case direction
        when 'higher' then value >= target
        when 'lower' then value <= target
        else abs(value - target) <= tolerance
    end as is_met,
    case
        when value is null then null
        -- Anywhere in a band is all of the target, outside it counts the nearer limit.
        when direction = 'band'
            then trim_scale(round(least(1, value / (target - tolerance), (target + tolerance) / nullif(value, 0)), 10))
        when direction = 'higher' and target <> 0 then trim_scale(round(value / target, 10))
        when direction = 'higher' then null
        when value <> 0 then trim_scale(round(target / value, 10))
        -- Nothing at all where nothing was allowed: all of the target. Where something was, no number says how much.
        when target = 0 then 1
    end as attainment_ratio,
    case
        when value is null then null_reason
        when direction = 'higher' and target = 0 then 'no_denominator'
        when direction = 'lower' and value = 0 and target <> 0 then 'no_denominator'
    end as null_reason
from aimed
