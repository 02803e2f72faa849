{{ moves('conversation', key=['conversation_key'], dates=['business_date', 'conversation_date']) }}

with segments as (

    select * from {{ ref('int_segment') }}

),

conversations as (

    select
        source_id,
        conversation_id,
        started_at
    from {{ ref('int_conversation') }}

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

issue_classes as (

    select
        conversation_key,
        issue_class
    from {{ ref('int_issue_class') }}

),

labels as (

    select
        conversation_key,
        bool_or(label = 'personalized') as is_personalized,
        bool_or(label = 'high_value') as is_high_value,
        bool_or(label = 'misrouted') as is_misrouted
    from {{ ref('int_contact_label') }}
    where label in ('personalized', 'high_value', 'misrouted')
    group by conversation_key

),

assists as (

    select
        conversation_key,
        agent_key
    from {{ ref('int_assist') }}
    group by conversation_key, agent_key

),

credited as (

    select
        segments.source_id || ':' || segments.conversation_id as conversation_key,
        segments.source_id,
        segments.segment_number,
        segments.episode_number,
        segments.assigned_by,
        segments.assigned_at,
        segments.ended_at,
        segments.is_transfer,
        segments.transfer_kind,
        segments.is_effective,
        segments.talk_seconds,
        segments.hold_seconds,
        segments.first_own_message_at,
        segments.has_own_reply,
        segments.customer_message_count,
        segments.agent_message_count,
        segments.active_seconds,
        segments.accept_delay_seconds,
        sources.channel,
        coalesce(
            identities.agent_key, 'unmapped:' || segments.source_id || ':' || coalesce(segments.agent_account, '?')
        ) as agent_key,
        sources.channel = 'chat' and segments.ended_at is not null and segments.has_customer_message as is_response_due,
        conversations.started_at as conversation_started_at,
        {{ local_date('conversations.started_at', 'site') }} as conversation_date
    from segments
    inner join sources
        on segments.source_id = sources.source_id
    inner join conversations
        on segments.source_id = conversations.source_id and segments.conversation_id = conversations.conversation_id
    cross join site
    left join identities
        on
            segments.source_id = identities.source_id
            and segments.agent_account = identities.account
            and segments.assigned_at >= identities.held_from
            and segments.assigned_at < identities.held_until

)

select
    credited.conversation_key || '/' || credited.segment_number as segment_key,
    credited.conversation_key,
    credited.source_id,
    credited.channel,
    credited.segment_number,
    credited.episode_number,
    credited.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    credited.assigned_by,
    credited.assigned_at,
    credited.ended_at,
    credited.is_transfer,
    credited.transfer_kind,
    coalesce(credited.is_transfer and labels.is_misrouted, false) as is_misrouted,
    credited.is_effective,
    credited.talk_seconds,
    credited.hold_seconds,
    credited.active_seconds,
    credited.customer_message_count,
    credited.agent_message_count,
    credited.is_response_due
    and (
        parameters.hours_mode is distinct from 'window'
        or ({{ in_service_window('credited.conversation_started_at', 'site', 'parameters') }})
    ) as is_response_due,
    credited.first_own_message_at,
    credited.has_own_reply as is_replied,
    case
        when credited.first_own_message_at is not null
            then (
                {{ duration_seconds('credited.assigned_at', 'credited.first_own_message_at', 'duty', 'parameters') }}
            )::bigint
    end as assignment_response_seconds,
    credited.first_own_message_at is not null and not duty.is_on_duty as is_reply_outside_roster,
    case when credited.ended_at is not null then credited.accept_delay_seconds end as accept_delay_seconds,
    assists.conversation_key is not null as has_assist,
    issue_classes.issue_class,
    coalesce(labels.is_personalized, false) as is_personalized,
    coalesce(labels.is_high_value, false) as is_high_value,
    credited.conversation_date,
    {{ in_service_window('credited.conversation_started_at', 'site', 'parameters') }} as is_in_service_window,
    {{ agent_business_date('shift', 'credited.assigned_at', 'site') }} as assigned_date,
    {{ agent_business_date('shift', 'credited.ended_at', 'site') }} as business_date
from credited
cross join site
inner join parameters
    on credited.conversation_date between parameters.valid_from and parameters.valid_to
{{ shift_of('credited.agent_key', 'credited.assigned_at', 'site', 'shift') }}
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ agent_business_date('shift', 'credited.assigned_at', 'site') }}
        between teams.valid_from and teams.valid_to
left join assists
    on credited.conversation_key = assists.conversation_key and credited.agent_key = assists.agent_key
left join issue_classes
    on credited.conversation_key = issue_classes.conversation_key
left join labels
    on credited.conversation_key = labels.conversation_key
{{ on_duty_seconds('credited.agent_key', 'credited.assigned_at', 'credited.first_own_message_at', 'duty') }}
