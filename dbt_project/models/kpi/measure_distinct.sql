-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('range', counts={
    'fct_unit_conversation': 'business_date',
    'fct_order_link': 'business_date'
}, dates=['period_start']) }}

with credited as (

    select
        unit.unit_kind,
        unit.unit_key,
        rows.channel as channel,
        rows.business_date as business_date,
        'customers_served' as measure_id,
        (customer_key)::text as item
    from {{ ref('fct_unit_conversation') }} as rows
    cross join lateral (
        values
        ('agent', rows.agent_key),
        ('team', rows.team_key),
        ('site', rows.site_key)
    ) as unit (unit_kind, unit_key)
    where
        unit.unit_key is not null
        and rows.business_date is not null
        and (customer_key is not null)
        and (customer_key) is not null

    union all

    select
        unit.unit_kind,
        unit.unit_key,
        'none' as channel,
        rows.business_date as business_date,
        'buyers' as measure_id,
        (customer_key)::text as item
    from {{ ref('fct_order_link') }} as rows
    cross join lateral (
        values
        ('agent', rows.agent_key),
        ('team', rows.team_key),
        ('site', 'site')
    ) as unit (unit_kind, unit_key)
    where
        unit.unit_key is not null
        and rows.business_date is not null
        and (entry_kind = 'sale')
        and (customer_key) is not null

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

-- One row per item and day is all that longer ranges need.
daily as (

    select
        unit_kind,
        unit_key,
        channel,
        business_date,
        measure_id,
        item
    from credited
    group by unit_kind, unit_key, channel, business_date, measure_id, item

),

ranged as (

    select
        daily.*,
        range.period_kind,
        range.period_start
    from daily
    cross join period
    cross join lateral ({{ ranges_of('daily.business_date') }}) as range (period_kind, period_start)
    where range.period_start is not null {{ and_is_dirty_range('range.period_kind', 'range.period_start') }}

)

select
    unit_kind,
    unit_key,
    coalesce(channel, 'all') as channel,
    period_kind,
    period_start,
    measure_id,
    count(distinct item)::numeric as measure_value
from ranged
group by grouping sets (
    (unit_kind, unit_key, channel, period_kind, period_start, measure_id),
    (unit_kind, unit_key, period_kind, period_start, measure_id)
)
