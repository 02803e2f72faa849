-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_dial': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_dial') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_counted then 1 end as dials,
        case when is_counted and result = 'answered' then 1 end as dials_answered,
        case when is_counted and result <> 'bad_number' then 1 end as dials_good_number,
        case when is_counted and result = 'answered' and talk_seconds >= parameters.min_effective_talk_seconds then 1 end as dials_successful
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

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
        coalesce(sum(dials), 0)::numeric as dials,
        coalesce(sum(dials_answered), 0)::numeric as dials_answered,
        coalesce(sum(dials_good_number), 0)::numeric as dials_good_number,
        coalesce(sum(dials_successful), 0)::numeric as dials_successful
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
    ('dials', false, pooled.dials),
    ('dials_answered', false, pooled.dials_answered),
    ('dials_good_number', false, pooled.dials_good_number),
    ('dials_successful', false, pooled.dials_successful)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}