{{ moves('conversation', key=['source_id', 'chat_id'], is_number=true) }}

with chats as (

    select * from {{ ref('stg_live_helper_chat__chat') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

numbered as (

    select
        *,
        min(message_id) filter (where author_kind = 'customer') over (partition by chat_id, source_id)
            as first_customer_message_id
    from {{ ref('stg_live_helper_chat__message') }}

),

messages as (

    select
        source_id,
        chat_id,
        max(sent_at) as last_message_at,
        min(sent_at) filter (where author_kind = 'customer') as first_customer_message_at,
        min(sent_at) filter (where author_kind = 'agent' and not is_whisper) as first_human_message_at,
        min(sent_at) filter (
            where author_kind = 'agent' and not is_whisper and message_id > first_customer_message_id
        ) as first_answer_at,
        max(message_id) filter (where event_type = 'close_by_visitor') as closed_by_visitor_id,
        max(message_id) filter (where event_type = 'close_by_agent') as closed_by_agent_id,
        count(*) filter (where author_kind = 'bot') as bot_message_count
    from numbered
    group by chat_id, source_id

),

joined as (

    select
        chats.*,
        -- Both: the server's interface does not tell the second, and greatest() leaves out what is unknown.
        greatest(chats.started_at, chats.pending_at) as entered_at,
        messages.first_customer_message_at,
        messages.first_human_message_at,
        messages.first_answer_at,
        messages.closed_by_visitor_id,
        messages.closed_by_agent_id,
        -- The automatic greeting has the number of a bot: only a chat that a bot was in charge of has one.
        chats.bot_id > 0 and coalesce(messages.bot_message_count, 0) > 0 as has_bot,
        coalesce(messages.bot_message_count, 0) as bot_message_count,
        coalesce(messages.last_message_at, chats.started_at) as silent_from
    from chats
    left join messages
        on chats.source_id = messages.source_id and chats.chat_id = messages.chat_id

),

dated as (

    select
        joined.*,
        joined.silent_from + limits.stale_close as stale_at
    from joined
    cross join site
    {{ limits_of('joined.silent_from', 'site') }}

)

select
    source_id,
    chat_id,
    started_at,
    entered_at,
    user_id,
    wait_seconds,
    department_id,
    coalesce(closed_at, case when stale_at <= '{{ var("as_of") }}'::timestamptz then stale_at end) as ended_at,
    coalesce(closed_at, case when stale_at <= '{{ var("as_of") }}'::timestamptz then silent_from end) as settled_at,
    case
        when closed_at is null and stale_at <= '{{ var("as_of") }}'::timestamptz then 'stale'
        when closed_at is null then null
        when closed_by_agent_id > coalesce(closed_by_visitor_id, 0) then 'agent'
        when closed_by_visitor_id is not null then 'customer'
        else 'system'
    end as closed_by,
    visitor_closed_at as visitor_left_at,
    coalesce(phone_key, email_key) as customer_key,
    case
        when coalesce(phone_key, email_key) is not null then 'known'
        when phone_kind in ('shared', 'withheld', 'internal', 'invalid') then phone_kind
        else 'missing'
    end as customer_kind,
    case
        when has_bot and first_customer_message_at < entered_at then entered_at
        else first_customer_message_at
    end as first_customer_message_at,
    first_human_message_at,
    first_answer_at,
    has_bot,
    has_bot and user_id = 0 and entered_at = started_at as is_bot_only,
    case when has_bot then bot_message_count else 0 end as bot_message_count,
    has_bot and first_customer_message_at is not null as has_bot_question
from dated
