-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
with rows as (

    select * from {{ ref('fct_rating') }}

),

credited as (

    select
        agent_key as agent_unit,
        team_key as team_unit,
        channel as channel,
        business_date as business_date,
        case when is_valid_for_score and instrument_kind = 'csat' then 1 end as ratings_valid,
        case when is_valid_for_score and is_top_box and instrument_kind = 'csat' then 1 end as ratings_top_box
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
        coalesce(sum(ratings_valid), 0)::numeric as ratings_valid,
        coalesce(sum(ratings_top_box), 0)::numeric as ratings_top_box
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
    ('ratings_valid', pooled.ratings_valid),
    ('ratings_top_box', pooled.ratings_top_box)
) as measured (measure_id, measure_value)
where pooled.unit_key is not null and pooled.business_date is not null