{{ config(indexes=[
    {'columns': ['customer_key', 'unit_key', 'served_month'], 'unique': true},
    {'columns': ['observed_at']}
]) }}
{{ moves('customer', customer='customer_key', dates=['business_date'], clock='observed') }}

with segments as (

    select
        segments.segment_key,
        segments.team_key,
        segments.ended_at,
        segments.business_date,
        conversations.customer_key
    from {{ ref('fct_segment') }} as segments
    inner join {{ ref('fct_conversation') }} as conversations
        on segments.conversation_key = conversations.conversation_key
    where
        segments.is_effective
        and conversations.customer_key is not null
        and segments.ended_at <= '{{ var("as_of") }}'::timestamptz

),

orders as (

    select * from {{ ref('int_order') }}
    where paid_at is not null and customer_key is not null

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

served as (

    select
        units.unit_kind || ':' || units.unit_name as unit_key,
        units.team_key,
        units.site_key,
        segments.customer_key,
        segments.ended_at as served_at,
        date_trunc('month', segments.business_date)::date as served_month,
        segments.business_date,
        row_number() over (
            partition by
                segments.customer_key,
                units.unit_kind,
                units.unit_name,
                date_trunc('month', segments.business_date)
            order by segments.ended_at, segments.segment_key
        ) as service_rank
    from segments
    cross join lateral (
        values
        ('team', segments.team_key, segments.team_key, null),
        ('site', 'site', null, 'site')
    ) as units (unit_kind, unit_name, team_key, site_key)

),

bought as (

    select
        served.unit_key,
        served.customer_key,
        served.served_month,
        min(orders.paid_at) as paid_at
    from served
    inner join orders
        on
            served.customer_key = orders.customer_key
            and served.served_at < orders.paid_at
    where served.service_rank = 1
    group by served.unit_key, served.customer_key, served.served_month

)

select
    served.unit_key,
    served.team_key,
    served.site_key,
    served.customer_key,
    served.served_month,
    served.served_at,
    bought.paid_at,
    extract(epoch from bought.paid_at - served.served_at)::bigint as paid_after_seconds,
    watched.observed_at,
    watched.observed_at <= '{{ var("as_of") }}'::timestamptz as is_observed,
    served.business_date
from served
inner join parameters
    on served.business_date between parameters.valid_from and parameters.valid_to
cross join
    lateral (
        values (served.served_at + make_interval(secs => parameters.retention_days * 86400))
    ) as watched (observed_at)
left join bought
    on
        served.unit_key = bought.unit_key
        and served.customer_key = bought.customer_key
        and served.served_month = bought.served_month
where served.service_rank = 1
