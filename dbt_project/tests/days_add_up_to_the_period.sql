-- Rows are metrics whose days of the period do not add up to the period, for any unit and channel.
with value_rows as (

    select * from {{ ref('metric_value') }}

),

periods as (

    select
        metric_id,
        unit_kind,
        unit_key,
        channel,
        period_start,
        period_end,
        numerator,
        denominator
    from value_rows
    where period_kind = 'period'

),

days as (

    select
        periods.metric_id,
        periods.unit_kind,
        periods.unit_key,
        periods.channel,
        coalesce(sum(value_rows.numerator), 0) as numerator,
        coalesce(sum(value_rows.denominator), 0) as denominator
    from periods
    left join value_rows
        on
            periods.metric_id = value_rows.metric_id
            and periods.unit_kind = value_rows.unit_kind
            and periods.unit_key = value_rows.unit_key
            and periods.channel = value_rows.channel
            and value_rows.period_kind = 'day'
            and value_rows.period_start between periods.period_start and periods.period_end
    group by periods.metric_id, periods.unit_kind, periods.unit_key, periods.channel

)

select
    periods.metric_id,
    periods.unit_kind,
    periods.unit_key,
    periods.channel
from periods
inner join days
    on
        periods.metric_id = days.metric_id
        and periods.unit_kind = days.unit_kind
        and periods.unit_key = days.unit_key
        and periods.channel = days.channel
where
    periods.numerator <> days.numerator
    or coalesce(periods.denominator, 0) <> days.denominator
