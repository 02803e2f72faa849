{{ moves('conversation', key=['source_id', 'conversation_id'], is_number=true) }}

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

site as (

    select * from {{ ref('stg_cfg__site') }}

),

segments as (

    select
        source_id,
        conversation_id,
        min(assigned_at) as assigned_at
    from {{ ref('int_chatwoot__segment') }}
    group by source_id, conversation_id

),

numbered as (

    select
        *,
        min(message_id) filter (where author_kind = 'customer') over (partition by source_id, conversation_id)
            as first_customer_message_id
    from {{ ref('stg_chatwoot__message') }}

),

messages as (

    select
        source_id,
        conversation_id,
        min(sent_at) filter (where author_kind = 'customer') as first_customer_message_at,
        min(sent_at) filter (where author_kind = 'agent' and not is_private) as first_human_message_at,
        min(sent_at) filter (
            where author_kind = 'agent' and not is_private and message_id > first_customer_message_id
        ) as first_answer_at,
        (
            array_agg(author_kind order by message_id)
            filter (where author_kind in ('customer', 'bot') or (author_kind = 'agent' and not is_private))
        )[1] = 'agent' as is_opened_by_us
    from numbered
    group by source_id, conversation_id

),

changes as (

    select
        source_id,
        conversation_id,
        (array_agg(effect order by message_id desc))[1] as last_state,
        (array_agg(event_type order by message_id desc) filter (where effect = 'close'))[1] as last_closing,
        max(sent_at) filter (where effect = 'close' and state_before is distinct from 'close') as closed_at,
        max(sent_at) filter (where event_type = 'resolve_by_customer') as ended_by_customer_at,
        count(*) filter (where effect = 'open' and state_before = 'close') as reopened_count,
        min(sent_at - state_before_at) filter (where effect = 'open' and state_before = 'close') as shortest_closed
    from {{ ref('int_chatwoot__owner_change') }}
    where effect in ('open', 'close')
    group by source_id, conversation_id

),

joined as (

    select
        conversations.source_id,
        conversations.conversation_id,
        inboxes.name as queue_account,
        coalesce(conversations.phone_key, conversations.email_key) as customer_key,
        case
            when coalesce(conversations.phone_key, conversations.email_key) is not null then 'known'
            when conversations.phone_kind in ('shared', 'withheld', 'internal', 'invalid') then conversations.phone_kind
            else 'missing'
        end as customer_kind,
        -- Labels are one text, separated by commas.
        string_to_array(coalesce(conversations.labels, ''), ', ') as labels,
        conversations.started_at,
        conversations.last_activity_at,
        entries.entered_at,
        entries.is_bot_only,
        entries.bot_message_count,
        entries.is_left_before_second_answer,
        segments.assigned_at,
        messages.first_customer_message_at,
        messages.first_human_message_at,
        messages.first_answer_at,
        coalesce(messages.is_opened_by_us, false) as is_opened_by_us,
        changes.ended_by_customer_at,
        changes.closed_at,
        changes.last_closing,
        coalesce(changes.reopened_count, 0) as reopened_count,
        changes.shortest_closed,
        case
            when changes.last_state = 'close' then 'closed'
            when conversations.status = 'resolved' then 'resolved'
            when entries.last_message_at + limits.stale_close <= '{{ var("as_of") }}'::timestamptz then 'stale'
            else 'open'
        end as state,
        entries.last_message_at,
        entries.last_message_at + limits.stale_close as stale_at
    from conversations
    cross join site
    inner join entries
        on conversations.source_id = entries.source_id and conversations.conversation_id = entries.conversation_id
    {{ limits_of('entries.last_message_at', 'site') }}
    left join inboxes
        on conversations.source_id = inboxes.source_id and conversations.inbox_id = inboxes.inbox_id
    left join segments
        on conversations.source_id = segments.source_id and conversations.conversation_id = segments.conversation_id
    left join messages
        on conversations.source_id = messages.source_id and conversations.conversation_id = messages.conversation_id
    left join changes
        on conversations.source_id = changes.source_id and conversations.conversation_id = changes.conversation_id

)

select
    source_id,
    conversation_id,
    queue_account,
    customer_key,
    customer_kind,
    started_at,
    case state
        when 'closed' then closed_at
        when 'resolved' then last_activity_at
        when 'stale' then stale_at
    end as ended_at,
    case state
        when 'closed' then closed_at
        when 'resolved' then last_activity_at
        when 'stale' then last_message_at
    end as settled_at,
    case
        when state = 'closed' and last_closing = 'resolve' then 'agent'
        when state = 'closed' and last_closing = 'resolve_by_customer' then 'customer'
        when state in ('closed', 'resolved') then 'system'
        when state = 'stale' then 'stale'
    end as closed_by,
    ended_by_customer_at,
    -- Not greatest(): it would give a conversation without a message of the customer the instant of its hand-off.
    case
        when is_bot_only then null
        when first_customer_message_at < entered_at then entered_at
        else first_customer_message_at
    end as first_customer_message_at,
    first_human_message_at,
    first_answer_at,
    is_opened_by_us,
    entered_at,
    case
        when assigned_at is not null then 'answered'
        when is_bot_only then 'not_offered'
        when ended_by_customer_at is not null then 'abandoned'
        -- Who was answered by somebody who did not own it was served, and when is not known.
        when state != 'open' and first_customer_message_at is not null and first_answer_at is null then 'unserved'
        else 'open'
    end as outcome,
    case
        when not is_bot_only
            then extract(epoch from coalesce(assigned_at, ended_by_customer_at) - entered_at)::bigint
    end as wait_seconds,
    bot_message_count > 0 as has_bot,
    is_bot_only,
    bot_message_count,
    bot_message_count > 0 and first_customer_message_at is not null as has_bot_question,
    case
        when bot_message_count = 0 then null
        when is_bot_only then false
        else is_left_before_second_answer
    end as is_left_before_second_answer,
    reopened_count,
    extract(epoch from shortest_closed)::bigint as shortest_closed_seconds,
    'group' = any(labels) as is_group,
    'spam' = any(labels) as is_spam,
    'test' = any(labels) as is_test
from joined
