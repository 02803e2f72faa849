with segments as (

    select * from {{ ref('int_segment') }}

),

messages as (

    select * from {{ ref('int_message') }}

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

identities as (

    select * from {{ ref('int_identity') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

spoken as (

    select
        messages.source_id,
        messages.conversation_id,
        messages.segment_number,
        messages.sent_at,
        lag(messages.sent_at, 1, segments.assigned_at) over (
            partition by messages.source_id, messages.conversation_id, messages.segment_number
            order by messages.message_id
        ) as before_at
    from messages
    inner join segments
        on
            messages.source_id = segments.source_id
            and messages.conversation_id = segments.conversation_id
            and messages.segment_number = segments.segment_number
    where messages.author_kind in ('customer', 'agent') and messages.sent_at >= segments.assigned_at

),

activity as (

    select
        spoken.source_id,
        spoken.conversation_id,
        spoken.segment_number,
        sum(extract(epoch from spoken.sent_at - spoken.before_at)) filter (
            where spoken.sent_at - spoken.before_at <= make_interval(secs => site.idle_gap_seconds)
        )::bigint as active_seconds
    from spoken
    cross join site
    group by spoken.source_id, spoken.conversation_id, spoken.segment_number

),

credited as (

    select
        segments.source_id,
        segments.conversation_id,
        segments.segment_number,
        segments.assigned_at,
        segments.ended_at,
        segments.is_transfer,
        segments.is_effective,
        segments.talk_seconds,
        segments.first_own_message_at,
        segments.accept_delay_seconds,
        sources.channel,
        coalesce(
            identities.agent_key, 'unmapped:' || segments.source_id || ':' || coalesce(segments.agent_account, '?')
        ) as agent_key,
        case when sources.channel = 'chat' then coalesce(activity.active_seconds, 0) end as active_seconds,
        sources.channel = 'chat' and segments.ended_at is not null and segments.has_customer_message as is_response_due
    from segments
    inner join sources
        on segments.source_id = sources.source_id
    cross join site
    left join identities
        on
            segments.source_id = identities.source_id
            and segments.agent_account = identities.account
            and {{ local_date('segments.assigned_at', 'site') }} between identities.valid_from and identities.valid_to
    left join activity
        on
            segments.source_id = activity.source_id
            and segments.conversation_id = activity.conversation_id
            and segments.segment_number = activity.segment_number

)

select
    credited.source_id || ':' || credited.conversation_id || '/' || credited.segment_number as segment_key,
    credited.source_id || ':' || credited.conversation_id as conversation_key,
    credited.source_id,
    credited.channel,
    credited.segment_number,
    credited.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    credited.assigned_at,
    credited.ended_at,
    credited.is_transfer,
    credited.is_effective,
    credited.talk_seconds,
    credited.active_seconds,
    credited.is_response_due,
    case
        when credited.first_own_message_at is not null
            then {{ duration_seconds('credited.assigned_at', 'credited.first_own_message_at', 'duty') }}::bigint
    end as assignment_response_seconds,
    credited.first_own_message_at is not null and not duty.is_on_duty as is_reply_outside_roster,
    case when credited.ended_at is not null then credited.accept_delay_seconds end as accept_delay_seconds,
    {{ agent_business_date('shift', 'credited.ended_at', 'site') }} as business_date
from credited
cross join site
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ local_date('credited.assigned_at', 'site') }} between teams.valid_from and teams.valid_to
{{ shift_of('credited.agent_key', 'credited.assigned_at', 'site', 'shift') }}
{{ on_duty_seconds('credited.agent_key', 'credited.assigned_at', 'credited.first_own_message_at', 'duty') }}
