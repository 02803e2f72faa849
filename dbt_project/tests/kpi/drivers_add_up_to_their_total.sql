-- The parts of a value and of its change are all of it, exactly; and a tree is made of what its metric's value is made
-- of, over the same days.
with trees as (

    select
        tree,
        case tree when 'fcr' then 'fcr_repeat' else 'aht' end as metric_id,
        unit_kind,
        unit_key,
        channel,
        period_kind,
        period_start,
        sum(amount) as amount,
        max(total_case_count) as case_count,
        sum(driver_value) as driver_value,
        max(total_value) as total_value,
        sum(own_change + mix_change) as own_and_mix_change,
        max(total_change) as total_change
    from {{ ref('driver_tree') }}
    group by tree, unit_kind, unit_key, channel, period_kind, period_start

)

select
    trees.tree,
    trees.unit_kind,
    trees.unit_key,
    trees.channel,
    trees.period_kind,
    trees.period_start
from trees
left join {{ ref('metric_value') }} as metric_values
    on
        trees.metric_id = metric_values.metric_id
        and trees.unit_kind = metric_values.unit_kind
        and trees.unit_key = metric_values.unit_key
        and trees.channel = metric_values.channel
        and trees.period_kind = metric_values.period_kind
        and trees.period_start = metric_values.period_start
where
    trees.driver_value <> trees.total_value
    or trees.own_and_mix_change <> trees.total_change
    or trees.amount is distinct from metric_values.numerator
    or trees.case_count is distinct from metric_values.denominator
