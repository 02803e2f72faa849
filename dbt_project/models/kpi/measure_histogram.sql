-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={
    'fct_conversation': 'business_date'
}, dates=['business_date']) }}

with credited as (

    select
        unit.unit_kind,
        unit.unit_key,
        rows.channel as channel,
        rows.business_date as business_date,
        'first_response_histogram' as measure_id,
        (first_response_seconds)::double precision as item
    from {{ ref('fct_conversation') }} as rows
    cross join lateral (
        values
        ('team', rows.team_key),
        ('site', 'site')
    ) as unit (unit_kind, unit_key)
    where
        unit.unit_key is not null
        and rows.business_date is not null
        and (is_first_response_due)
        and (first_response_seconds) is not null

)

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    {{ log_bucket('item') }} as bucket,
    count(*) as bucket_count
from credited
group by unit_kind, unit_key, channel, business_date, measure_id, {{ log_bucket('item') }}
