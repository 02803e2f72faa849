-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_segment': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_segment') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when is_effective then 1 end as segments_effective,
        case when is_effective and coalesce(talk_seconds, active_seconds) is not null then 1 end as segments_timed,
        case when is_effective and is_transfer and not is_misrouted then 1 end as segments_transferred,
        case when is_effective and not is_misrouted then 1 end as segments_routed,
        case when is_effective and transfer_kind = 'blind' and not is_misrouted then 1 end as segments_transferred_blind,
        case when is_effective and transfer_kind = 'consult' and not is_misrouted then 1 end as segments_transferred_consult,
        case when is_effective and transfer_kind is not null and not is_misrouted then 1 end as segments_transferred_known,
        case when is_effective and channel = 'voice' and not is_misrouted and (not is_transfer or transfer_kind is not null) then 1 end as calls_routed_known,
        case when is_effective and channel = 'voice' then 1 end as calls_answered,
        case when is_effective and channel = 'voice' and talk_seconds is not null then 1 end as calls_timed,
        case when is_effective then talk_seconds end as talk_seconds,
        case when is_effective then active_seconds end as active_seconds,
        case when is_response_due then 1 end as responses_assigned,
        case when is_response_due and assignment_response_seconds <= parameters.assignment_response_limit_seconds then 1 end as responses_assigned_in_time,
        case when accept_delay_seconds is not null then 1 end as accepted_segments,
        case when true then accept_delay_seconds end as accept_delay_seconds,
        case when channel = 'chat' and ended_at is not null then agent_message_count end as messages_by_agent,
        case when channel = 'chat' and ended_at is not null then customer_message_count end as messages_by_customer,
        case when is_effective and channel = 'voice' and hold_seconds > 0 then 1 end as calls_held,
        case when is_effective and channel = 'voice' then hold_seconds end as hold_seconds,
        case when is_effective and has_assist then 1 end as segments_escalated,
        case when is_effective and is_personalized then 1 end as segments_personalized
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
        coalesce(sum(segments_effective), 0)::numeric as segments_effective,
        coalesce(sum(segments_timed), 0)::numeric as segments_timed,
        coalesce(sum(segments_transferred), 0)::numeric as segments_transferred,
        coalesce(sum(segments_routed), 0)::numeric as segments_routed,
        coalesce(sum(segments_transferred_blind), 0)::numeric as segments_transferred_blind,
        coalesce(sum(segments_transferred_consult), 0)::numeric as segments_transferred_consult,
        coalesce(sum(segments_transferred_known), 0)::numeric as segments_transferred_known,
        coalesce(sum(calls_routed_known), 0)::numeric as calls_routed_known,
        coalesce(sum(calls_answered), 0)::numeric as calls_answered,
        coalesce(sum(calls_timed), 0)::numeric as calls_timed,
        coalesce(sum(talk_seconds), 0)::numeric as talk_seconds,
        coalesce(sum(active_seconds), 0)::numeric as active_seconds,
        coalesce(sum(responses_assigned), 0)::numeric as responses_assigned,
        coalesce(sum(responses_assigned_in_time), 0)::numeric as responses_assigned_in_time,
        coalesce(sum(accepted_segments), 0)::numeric as accepted_segments,
        coalesce(sum(accept_delay_seconds), 0)::numeric as accept_delay_seconds,
        coalesce(sum(messages_by_agent), 0)::numeric as messages_by_agent,
        coalesce(sum(messages_by_customer), 0)::numeric as messages_by_customer,
        coalesce(sum(calls_held), 0)::numeric as calls_held,
        coalesce(sum(hold_seconds), 0)::numeric as hold_seconds,
        coalesce(sum(segments_escalated), 0)::numeric as segments_escalated,
        coalesce(sum(segments_personalized), 0)::numeric as segments_personalized
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
    ('segments_effective', false, pooled.segments_effective),
    ('segments_timed', false, pooled.segments_timed),
    ('segments_transferred', false, pooled.segments_transferred),
    ('segments_routed', false, pooled.segments_routed),
    ('segments_transferred_blind', false, pooled.segments_transferred_blind),
    ('segments_transferred_consult', false, pooled.segments_transferred_consult),
    ('segments_transferred_known', false, pooled.segments_transferred_known),
    ('calls_routed_known', false, pooled.calls_routed_known),
    ('calls_answered', false, pooled.calls_answered),
    ('calls_timed', false, pooled.calls_timed),
    ('talk_seconds', false, pooled.talk_seconds),
    ('active_seconds', false, pooled.active_seconds),
    ('responses_assigned', false, pooled.responses_assigned),
    ('responses_assigned_in_time', false, pooled.responses_assigned_in_time),
    ('accepted_segments', false, pooled.accepted_segments),
    ('accept_delay_seconds', false, pooled.accept_delay_seconds),
    ('messages_by_agent', false, pooled.messages_by_agent),
    ('messages_by_customer', false, pooled.messages_by_customer),
    ('calls_held', false, pooled.calls_held),
    ('hold_seconds', false, pooled.hold_seconds),
    ('segments_escalated', false, pooled.segments_escalated),
    ('segments_personalized', false, pooled.segments_personalized)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}