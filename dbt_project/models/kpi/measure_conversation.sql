-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
with rows as (

    select * from {{ ref('fct_conversation') }}

),

credited as (

    select
        team_key as team_unit,
        channel as channel,
        business_date as business_date,
        case when is_first_response_due then 1 end as first_responses_due,
        case when is_first_response_due and first_response_seconds <= 30 then 1 end as first_responses_in_time,
        case when is_first_response_due and first_response_seconds is not null then 1 end as first_responses,
        case when is_first_response_due then first_response_seconds end as first_response_seconds
    from rows

),

pooled as (

    select
        case
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            team_unit,
            case when grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(first_responses_due), 0)::numeric as first_responses_due,
        coalesce(sum(first_responses_in_time), 0)::numeric as first_responses_in_time,
        coalesce(sum(first_responses), 0)::numeric as first_responses,
        coalesce(sum(first_response_seconds), 0)::numeric as first_response_seconds
    from credited
    group by grouping sets (
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
    ('first_responses_due', pooled.first_responses_due),
    ('first_responses_in_time', pooled.first_responses_in_time),
    ('first_responses', pooled.first_responses),
    ('first_response_seconds', pooled.first_response_seconds)
) as measured (measure_id, measure_value)
where pooled.unit_key is not null and pooled.business_date is not null