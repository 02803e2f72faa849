-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
with rows as (

    select * from {{ ref('fct_segment') }}

),

credited as (

    select
        agent_key as agent_unit,
        team_key as team_unit,
        channel as channel,
        business_date as business_date,
        case when is_effective then 1 end as segments_effective,
        case when is_effective and is_transfer then 1 end as segments_transferred,
        case when is_effective and channel = 'voice' then 1 end as calls_answered,
        case when is_effective then talk_seconds end as talk_seconds,
        case when is_effective then active_seconds end as active_seconds,
        case when is_response_due then 1 end as responses_assigned,
        case when is_response_due and assignment_response_seconds <= 60 then 1 end as responses_assigned_in_time,
        case when accept_delay_seconds is not null then 1 end as accepted_segments,
        case when true then accept_delay_seconds end as accept_delay_seconds
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
        coalesce(sum(segments_effective), 0)::numeric as segments_effective,
        coalesce(sum(segments_transferred), 0)::numeric as segments_transferred,
        coalesce(sum(calls_answered), 0)::numeric as calls_answered,
        coalesce(sum(talk_seconds), 0)::numeric as talk_seconds,
        coalesce(sum(active_seconds), 0)::numeric as active_seconds,
        coalesce(sum(responses_assigned), 0)::numeric as responses_assigned,
        coalesce(sum(responses_assigned_in_time), 0)::numeric as responses_assigned_in_time,
        coalesce(sum(accepted_segments), 0)::numeric as accepted_segments,
        coalesce(sum(accept_delay_seconds), 0)::numeric as accept_delay_seconds
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
    ('segments_effective', pooled.segments_effective),
    ('segments_transferred', pooled.segments_transferred),
    ('calls_answered', pooled.calls_answered),
    ('talk_seconds', pooled.talk_seconds),
    ('active_seconds', pooled.active_seconds),
    ('responses_assigned', pooled.responses_assigned),
    ('responses_assigned_in_time', pooled.responses_assigned_in_time),
    ('accepted_segments', pooled.accepted_segments),
    ('accept_delay_seconds', pooled.accept_delay_seconds)
) as measured (measure_id, measure_value)
where pooled.unit_key is not null and pooled.business_date is not null