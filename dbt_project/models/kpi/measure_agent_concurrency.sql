-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_agent_concurrency': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_agent_concurrency') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when true then segment_count end as chat_segments_ended,
        case when true then segment_seconds end as chat_segment_seconds,
        case when true then open_seconds end as chat_open_seconds
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
        coalesce(sum(chat_segments_ended), 0)::numeric as chat_segments_ended,
        coalesce(sum(chat_segment_seconds), 0)::numeric as chat_segment_seconds,
        coalesce(sum(chat_open_seconds), 0)::numeric as chat_open_seconds
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
    ('chat_segments_ended', false, pooled.chat_segments_ended),
    ('chat_segment_seconds', false, pooled.chat_segment_seconds),
    ('chat_open_seconds', false, pooled.chat_open_seconds)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}