-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_turn': 'conversation_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_turn') }}

),

credited as (

    select
        rows.owner_key as agent_unit,
        rows.owner_team_key as team_unit,
        rows.channel as channel,
        rows.conversation_date as business_date,
        case when is_reply_due then 1 end as turns_due,
        case when is_reply_due and elapsed_seconds <= parameters.response_threshold_seconds then 1 end as turns_in_time,
        case when is_reply_due and elapsed_seconds <= parameters.response_long_threshold_seconds then 1 end as turns_in_long_time
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.conversation_date between parameters.valid_from and parameters.valid_to

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
        coalesce(sum(turns_due), 0)::numeric as turns_due,
        coalesce(sum(turns_in_time), 0)::numeric as turns_in_time,
        coalesce(sum(turns_in_long_time), 0)::numeric as turns_in_long_time
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
    ('turns_due', false, pooled.turns_due),
    ('turns_in_time', false, pooled.turns_in_time),
    ('turns_in_long_time', false, pooled.turns_in_long_time)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}