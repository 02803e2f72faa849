-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_complaint': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_complaint') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_upheld and agent_key is not null then 1 end as complaints_upheld,
        case when resolution_rating is not null then 1 end as complaints_rated,
        case when resolution_rating >= 4 then 1 end as complaints_rated_satisfied
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
        coalesce(sum(complaints_upheld), 0)::numeric as complaints_upheld,
        coalesce(sum(complaints_rated), 0)::numeric as complaints_rated,
        coalesce(sum(complaints_rated_satisfied), 0)::numeric as complaints_rated_satisfied
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
    ('complaints_upheld', false, pooled.complaints_upheld),
    ('complaints_rated', false, pooled.complaints_rated),
    ('complaints_rated_satisfied', false, pooled.complaints_rated_satisfied)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}