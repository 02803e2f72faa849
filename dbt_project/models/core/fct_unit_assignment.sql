{{ moves('conversation', key=['conversation_key'], dates=['assigned_date', 'ended_date']) }}

with segments as (

    select * from {{ ref('fct_segment') }}

),

visitors as (

    select
        conversation_key,
        visitor_left_at
    from {{ ref('fct_conversation') }}
    where visitor_left_at is not null

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

-- The same agent may get a conversation again: it stays one assignment, dated by the first.
units as (

    select
        units.agent_key,
        units.team_key,
        units.site_key,
        segments.conversation_key,
        min(segments.channel) as channel,
        min(segments.assigned_at) as assigned_at,
        bool_or(segments.is_effective) as is_effective,
        {{ date_of_first('segments.segment_number', 'segments.assigned_date') }} as assigned_date,
        {{ date_of_last('segments.segment_number', 'segments.business_date', 'segments.ended_at is not null') }}
            as ended_date,
        {{ date_of_last('segments.segment_number', 'segments.business_date', 'segments.is_effective') }}
            as effective_date
    from segments
    cross join
        lateral (
            values
            (segments.agent_key, null, null),
            (null, segments.team_key, null),
            (null, null, 'site')
        ) as units (agent_key, team_key, site_key)
    group by segments.conversation_key, units.agent_key, units.team_key, units.site_key

)

select
    units.agent_key,
    units.team_key,
    units.site_key,
    units.conversation_key,
    units.channel,
    units.is_effective,
    not units.is_effective
    and coalesce(
        extract(epoch from visitors.visitor_left_at - units.assigned_at) < parameters.short_abandon_seconds, false
    ) as is_left_at_once,
    units.assigned_date,
    units.ended_date,
    units.effective_date
from units
left join parameters
    on coalesce(units.assigned_date, units.ended_date) between parameters.valid_from and parameters.valid_to
left join visitors
    on units.conversation_key = visitors.conversation_key
