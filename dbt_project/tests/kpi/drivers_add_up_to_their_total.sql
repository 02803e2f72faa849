-- The parts of a value and of its change are all of it, exactly; and handle time is made of what the metric is made of.
with trees as (

    select
        tree,
        unit_kind,
        unit_key,
        channel,
        period_kind,
        period_start,
        sum(amount) as amount,
        sum(driver_value) as driver_value,
        max(total_value) as total_value,
        sum(own_change + mix_change) as own_and_mix_change,
        max(total_change) as total_change
    from {{ ref('driver_tree') }}
    group by tree, unit_kind, unit_key, channel, period_kind, period_start

),

measured as (

    select
        unit_kind,
        unit_key,
        channel,
        date_trunc('month', business_date)::date as period_start,
        sum(measure_value) as amount
    from {{ ref('measure_day') }}
    where measure_id in ('talk_seconds', 'acw_seconds', 'active_seconds')
    group by unit_kind, unit_key, channel, date_trunc('month', business_date)

)

select
    trees.tree,
    trees.unit_kind,
    trees.unit_key,
    trees.channel,
    trees.period_kind,
    trees.period_start
from trees
left join measured
    on
        trees.unit_kind = measured.unit_kind
        and trees.unit_key = measured.unit_key
        and trees.channel = measured.channel
        and trees.period_start = measured.period_start
        and trees.tree = 'aht'
        and trees.period_kind = 'month'
where
    trees.driver_value <> trees.total_value
    or trees.own_and_mix_change <> trees.total_change
    or trees.amount <> measured.amount
