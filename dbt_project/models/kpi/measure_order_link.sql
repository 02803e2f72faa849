-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_order_link': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_order_link') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when entry_kind = 'sale' then amount_fen end as attributed_sales_fen,
        case when entry_kind = 'sale' then order_share end as attributed_orders,
        case when true then amount_fen end as net_sales_fen
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            case when grouping(agent_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(attributed_sales_fen), 0)::numeric as attributed_sales_fen,
        coalesce(sum(attributed_orders), 0)::numeric as attributed_orders,
        coalesce(sum(net_sales_fen), 0)::numeric as net_sales_fen
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
        (team_unit, channel, business_date),
        (channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('attributed_sales_fen', false, pooled.attributed_sales_fen),
    ('attributed_orders', false, pooled.attributed_orders),
    ('net_sales_fen', false, pooled.net_sales_fen)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}