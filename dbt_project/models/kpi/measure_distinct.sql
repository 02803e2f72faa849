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

-- An item counts in a range on its first day there. The item comes first: sorting by it compares least.
seen as (

    select
        *,
        lag(business_date) over (
            partition by item, unit_kind, unit_key, measure_id, channel
            order by business_date
        ) as seen_on,
        lag(business_date) over (
            partition by item, unit_kind, unit_key, measure_id
            order by business_date, channel
        ) as seen_anywhere_on
    from credited

),

daily as (

    select
        seen.unit_kind,
        seen.unit_key,
        seen.channel,
        seen.business_date,
        seen.measure_id,
        {%- for kind in range_kinds() %}
        count(*) filter (
            where seen.seen_on is null or seen.seen_on < {{ range_start(kind, 'seen.business_date') }}
        ) as first_of_{{ kind }},
        count(*) filter (
            where
            seen.seen_anywhere_on is null or seen.seen_anywhere_on < {{ range_start(kind, 'seen.business_date') }}
        ) as first_anywhere_of_{{ kind }}{{ ',' if not loop.last }}
        {%- endfor %}
    from seen
    cross join period
    group by seen.unit_kind, seen.unit_key, seen.channel, seen.business_date, seen.measure_id

),

ranged as (

    select
        daily.unit_kind,
        daily.unit_key,
        daily.channel,
        daily.measure_id,
        ranges.period_kind,
        ranges.period_start,
        sum(ranges.first_count) as first_count,
        sum(ranges.first_anywhere_count) as first_anywhere_count
    from daily
    cross join period
    cross join lateral (
        values
        {%- for kind in range_kinds() %}
        (
            '{{ kind }}', {{ range_start(kind, 'daily.business_date') }}, daily.first_of_{{ kind }},
            daily.first_anywhere_of_{{ kind }}
        ){{ ',' if not loop.last }}
        {%- endfor %}
    ) as ranges (period_kind, period_start, first_count, first_anywhere_count)
    where ranges.period_start is not null {{ and_is_dirty_range('ranges.period_kind', 'ranges.period_start') }}
    group by
        daily.unit_kind, daily.unit_key, daily.channel, daily.measure_id, ranges.period_kind, ranges.period_start

)

select
    unit_kind,
    unit_key,
    channel,
    period_kind,
    period_start,
    measure_id,
    first_count::numeric as measure_value
from ranged

union all

select
    unit_kind,
    unit_key,
    'all' as channel,
    period_kind,
    period_start,
    measure_id,
    sum(first_anywhere_count)::numeric as measure_value
from ranged
group by unit_kind, unit_key, period_kind, period_start, measure_id
