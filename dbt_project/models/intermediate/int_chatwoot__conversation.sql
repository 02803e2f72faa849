with conversations as (

    select * from {{ ref('stg_chatwoot__conversation') }}

),

entries as (

    select * from {{ ref('int_chatwoot__entry') }}

),

inboxes as (

    select
        source_id,
        inbox_id,
        name
    from {{ ref('stg_chatwoot__inbox') }}

),

segments as (

    select
        source_id,
        conversation_id,
        min(assigned_at) as assigned_at,
        case when bool_and(ended_at is not null) then max(ended_at) end as ended_at
    from {{ ref('int_chatwoot__segment') }}
    group by source_id, conversation_id

),

messages as (

    select
        source_id,
        conversation_id,
        min(sent_at) filter (where author_kind = 'customer') as first_customer_message_at,
        min(sent_at) filter (where author_kind = 'agent' and not is_private) as first_human_message_at,
        max(sent_at) filter (where event_type = 'resolve_by_customer') as ended_by_customer_at,
        max(sent_at) filter (where event_type in ('resolve', 'resolve_by_customer', 'resolve_by_system')) as resolved_at
    from {{ ref('stg_chatwoot__message') }}
    group by source_id, conversation_id

)

select
    conversations.source_id,
    conversations.conversation_id,
    inboxes.name as queue_account,
    coalesce(conversations.phone_key, conversations.email_key) as customer_key,
    conversations.started_at,
    coalesce(
        segments.ended_at,
        case when segments.assigned_at is null and conversations.status = 'resolved' then messages.resolved_at end
    ) as ended_at,
    messages.ended_by_customer_at,
    -- Not greatest(): it would give a conversation without a message of the customer the instant of its hand-off.
    case
        when entries.is_bot_only then null
        when messages.first_customer_message_at < entries.entered_at then entries.entered_at
        else messages.first_customer_message_at
    end as first_customer_message_at,
    messages.first_human_message_at,
    entries.entered_at,
    case
        when segments.assigned_at is not null then 'answered'
        when entries.is_bot_only then 'not_offered'
        when messages.ended_by_customer_at is not null then 'abandoned'
        else 'open'
    end as outcome,
    case
        when not entries.is_bot_only
            then extract(
                epoch from coalesce(segments.assigned_at, messages.ended_by_customer_at) - entries.entered_at
            )::bigint
    end as wait_seconds
from conversations
inner join entries
    on conversations.source_id = entries.source_id and conversations.conversation_id = entries.conversation_id
left join inboxes
    on conversations.source_id = inboxes.source_id and conversations.inbox_id = inboxes.inbox_id
left join segments
    on conversations.source_id = segments.source_id and conversations.conversation_id = segments.conversation_id
left join messages
    on conversations.source_id = messages.source_id and conversations.conversation_id = messages.conversation_id
