with site as (

    select * from {{ ref('stg_cfg__site') }}

),

sources as (

    select * from {{ ref('stg_cfg__source') }}

),

rules as (

    select * from {{ ref('stg_cfg__reconciliation_rule') }}

),

conversations as (

    select
        facts.conversation_key,
        facts.source_id,
        facts.started_at,
        conformed.conversation_id,
        conformed.queue_account,
        conformed.first_human_reply_at,
        facts.business_date
    from {{ ref('fct_conversation') }} as facts
    inner join {{ ref('int_conversation') }} as conformed
        on facts.conversation_key = conformed.source_id || ':' || conformed.conversation_id
    where facts.business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

segments as (

    select
        facts.conversation_key,
        facts.segment_number,
        facts.channel,
        facts.ended_at,
        facts.accept_delay_seconds,
        conformed.agent_account,
        row_number() over (partition by facts.conversation_key order by facts.segment_number desc) as rank_from_end
    from {{ ref('fct_segment') }} as facts
    inner join {{ ref('int_segment') }} as conformed
        on
            facts.conversation_key = conformed.source_id || ':' || conformed.conversation_id
            and facts.segment_number = conformed.segment_number

),

written as (

    select
        messages.source_id || ':' || messages.conversation_id as conversation_key,
        messages.agent_account,
        messages.author_kind,
        messages.sent_at
    from {{ ref('int_message') }} as messages
    inner join sources
        on messages.source_id = sources.source_id
    where sources.system = 'live_helper_chat'

),

-- Asterisk. The queue log and the call records are two writers of one exchange. A call is in both when it has ended
-- before the last line of either; both name it by its number, which begins with the second it was made in.
queue_horizon as (

    select
        source_id,
        max(event_at) as seen_until
    from {{ ref('stg_asterisk__queue_log') }}
    group by source_id

),

call_records as (

    select
        records.source_id,
        records.uniqueid as call_id,
        max(records.ended_at) as ended_at,
        max(records.started_at) as started_at
    from {{ ref('stg_asterisk__cdr') }} as records
    where records.lastapp = 'Queue' and records.disposition = 'ANSWERED' and records.dstchannel is not null
    group by records.source_id, records.uniqueid

),

record_horizon as (

    select
        source_id,
        max(ended_at) as seen_until
    from {{ ref('stg_asterisk__cdr') }}
    group by source_id

),

answered as (

    select
        conversations.source_id,
        conversations.conversation_id as call_id,
        conversations.started_at,
        bool_and(segments.ended_at is not null) as is_ended,
        max(segments.ended_at) as ended_at
    from conversations
    inner join sources
        on conversations.source_id = sources.source_id
    inner join segments
        on conversations.conversation_key = segments.conversation_key
    where sources.system = 'asterisk'
    group by conversations.source_id, conversations.conversation_id, conversations.started_at

),

call_sides as (

    select
        answered.source_id,
        answered.call_id,
        answered.started_at,
        'ours' as side
    from answered
    inner join record_horizon
        on answered.source_id = record_horizon.source_id
    where answered.is_ended and answered.ended_at <= record_horizon.seen_until

    union all

    select
        call_records.source_id,
        call_records.call_id,
        call_records.started_at,
        'theirs' as side
    from call_records
    inner join queue_horizon
        on call_records.source_id = queue_horizon.source_id
    where call_records.ended_at <= queue_horizon.seen_until

),

calls as (

    select
        'answered_calls' as rule_id,
        call_sides.source_id,
        null::text as unit_kind,
        null::text as unit_key,
        {{ local_date(
            "coalesce(to_timestamp(substring(call_sides.call_id from '(\\d{9,})\\.\\d+$')::bigint), "
            ~ "call_sides.started_at)", 'site'
        ) }} as business_date,
        call_sides.side,
        1::numeric as amount
    from call_sides
    cross join site

),

-- Live Helper Chat. The server writes its statistics when it closes a chat, so only chats it has closed are compared.
-- A participant whose chat we do not hold at all counts too, as long as the chats were read that far.
closed_chats as (

    select
        chats.source_id,
        chats.source_id || ':' || chats.chat_id as conversation_key,
        departments.identifier as department,
        nullif(chats.user_id, 0)::text as owner_account,
        chats.last_user_message_at,
        chats.wait_seconds,
        chats.first_response_seconds,
        greatest(chats.started_at, chats.pending_at) + make_interval(secs => chats.wait_seconds) as accepted_at,
        {{ local_date('chats.started_at', 'site') }} as business_date
    from {{ ref('stg_live_helper_chat__chat') }} as chats
    cross join site
    left join {{ ref('stg_live_helper_chat__department') }} as departments
        on chats.source_id = departments.source_id and chats.department_id = departments.department_id
    where chats.status = 2

),

chat_horizon as (

    select
        source_id,
        max(started_at) as seen_until
    from {{ ref('stg_live_helper_chat__chat') }}
    group by source_id

),

participants as (

    select
        participants.source_id,
        participants.source_id || ':' || participants.chat_id as conversation_key,
        departments.identifier as department,
        participants.user_id::text as agent_account,
        row_number() over (
            partition by participants.source_id, participants.chat_id
            order by participants.participant_id
        ) as participant_rank,
        {{ local_date('participants.chat_started_at', 'site') }} as business_date
    from {{ ref('stg_live_helper_chat__participant') }} as participants
    cross join site
    inner join chat_horizon
        on
            participants.source_id = chat_horizon.source_id
            and participants.chat_started_at <= chat_horizon.seen_until
    left join {{ ref('stg_live_helper_chat__chat') }} as chats
        on participants.source_id = chats.source_id and participants.chat_id = chats.chat_id
    left join {{ ref('stg_live_helper_chat__department') }} as departments
        on participants.source_id = departments.source_id and participants.department_id = departments.department_id
    where participants.user_id > 0 and (chats.chat_id is null or chats.status = 2)

),

our_chats as (

    select
        conversations.source_id,
        conversations.conversation_key,
        conversations.queue_account as department,
        conversations.business_date
    from conversations
    inner join closed_chats
        on conversations.conversation_key = closed_chats.conversation_key

),

our_operators as (

    select
        our_chats.source_id,
        our_chats.conversation_key,
        our_chats.department,
        written.agent_account,
        our_chats.business_date,
        row_number() over (
            partition by our_chats.conversation_key
            order by written.agent_account
        ) as participant_rank
    from our_chats
    inner join written
        on our_chats.conversation_key = written.conversation_key
    where written.author_kind in ('agent', 'whisper')
    group by
        our_chats.source_id, our_chats.conversation_key, our_chats.department, written.agent_account,
        our_chats.business_date

),

-- The server's clock: from the later of the customer's first message and the acceptance to the first words that any
-- operator writes after the acceptance, whispers included.
first_words as (

    select
        closed_chats.conversation_key,
        min(written.sent_at) filter (where written.author_kind = 'customer') as asked_at,
        min(written.sent_at) filter (
            where written.author_kind in ('agent', 'whisper') and written.sent_at > closed_chats.accepted_at
        ) as replied_at,
        max(written.sent_at) as last_message_at
    from closed_chats
    inner join written
        on closed_chats.conversation_key = written.conversation_key
    group by closed_chats.conversation_key

),

-- What the server's statistics say when it is asked over HTTP; a day that still goes on is not compared.
statistics as (

    select
        asked.source_id,
        asked.user_id::text as agent_account,
        asked.day_start,
        asked.day_end,
        asked.chat_count,
        asked.participation_count,
        {{ local_date('asked.day_start', 'site') }} as business_date
    from {{ ref('stg_live_helper_chat__agent_statistic') }} as asked
    cross join site
    inner join chat_horizon
        on asked.source_id = chat_horizon.source_id and asked.day_end <= chat_horizon.seen_until

),

statistic_days as (

    select
        source_id,
        day_start,
        day_end,
        business_date
    from statistics
    group by source_id, day_start, day_end, business_date

),

chats as (

    select
        'statistic_by_owner' as rule_id,
        conversations.source_id,
        'account' as unit_kind,
        segments.agent_account as unit_key,
        statistic_days.business_date,
        'ours' as side,
        1::numeric as amount
    from statistic_days
    inner join conversations
        on
            statistic_days.source_id = conversations.source_id
            and statistic_days.day_start <= conversations.started_at
            and statistic_days.day_end > conversations.started_at
    inner join segments
        on conversations.conversation_key = segments.conversation_key
    where segments.rank_from_end = 1

    union all

    select
        'statistic_by_owner' as rule_id,
        source_id,
        'account' as unit_kind,
        agent_account as unit_key,
        business_date,
        'theirs' as side,
        chat_count as amount
    from statistics

    union all

    select
        'statistic_by_operator' as rule_id,
        our_operators.source_id,
        'account' as unit_kind,
        our_operators.agent_account as unit_key,
        statistic_days.business_date,
        'ours' as side,
        1 as amount
    from statistic_days
    inner join conversations
        on
            statistic_days.source_id = conversations.source_id
            and statistic_days.day_start <= conversations.started_at
            and statistic_days.day_end > conversations.started_at
    inner join our_operators
        on conversations.conversation_key = our_operators.conversation_key

    union all

    select
        'statistic_by_operator' as rule_id,
        source_id,
        'account' as unit_kind,
        agent_account as unit_key,
        business_date,
        'theirs' as side,
        participation_count as amount
    from statistics

    union all

    select
        'chats_by_department' as rule_id,
        source_id,
        'queue' as unit_kind,
        department as unit_key,
        business_date,
        'ours' as side,
        1::numeric as amount
    from our_operators
    where participant_rank = 1

    union all

    select
        'chats_by_department' as rule_id,
        source_id,
        'queue' as unit_kind,
        department as unit_key,
        business_date,
        'theirs' as side,
        1 as amount
    from participants
    where participant_rank = 1

    union all

    select
        'chats_by_operator' as rule_id,
        source_id,
        'account' as unit_kind,
        agent_account as unit_key,
        business_date,
        'ours' as side,
        1 as amount
    from our_operators

    union all

    select
        'chats_by_operator' as rule_id,
        source_id,
        'account' as unit_kind,
        agent_account as unit_key,
        business_date,
        'theirs' as side,
        1 as amount
    from participants

    union all

    select
        'chats_by_owner' as rule_id,
        our_chats.source_id,
        'account' as unit_kind,
        segments.agent_account as unit_key,
        our_chats.business_date,
        'ours' as side,
        1 as amount
    from our_chats
    inner join segments
        on our_chats.conversation_key = segments.conversation_key
    where segments.rank_from_end = 1

    union all

    select
        'chats_by_owner' as rule_id,
        source_id,
        'account' as unit_kind,
        owner_account as unit_key,
        business_date,
        'theirs' as side,
        1 as amount
    from closed_chats
    where owner_account is not null

    union all

    select
        'wait_seconds' as rule_id,
        our_chats.source_id,
        'queue' as unit_kind,
        our_chats.department as unit_key,
        our_chats.business_date,
        'ours' as side,
        segments.accept_delay_seconds as amount
    from our_chats
    inner join segments
        on our_chats.conversation_key = segments.conversation_key
    where segments.segment_number = 1 and segments.accept_delay_seconds is not null

    union all

    select
        'wait_seconds' as rule_id,
        source_id,
        'queue' as unit_kind,
        department as unit_key,
        business_date,
        'theirs' as side,
        wait_seconds as amount
    from closed_chats
    where owner_account is not null

    union all

    select
        'chats_with_last_message' as rule_id,
        closed_chats.source_id,
        'queue' as unit_kind,
        closed_chats.department as unit_key,
        closed_chats.business_date,
        'ours' as side,
        1 as amount
    from closed_chats
    inner join first_words
        on closed_chats.conversation_key = first_words.conversation_key
    where first_words.last_message_at >= closed_chats.last_user_message_at

    union all

    select
        'chats_with_last_message' as rule_id,
        source_id,
        'queue' as unit_kind,
        department as unit_key,
        business_date,
        'theirs' as side,
        1 as amount
    from closed_chats
    where last_user_message_at is not null

    union all

    select
        'first_response_seconds' as rule_id,
        closed_chats.source_id,
        'queue' as unit_kind,
        closed_chats.department as unit_key,
        closed_chats.business_date,
        'ours' as side,
        extract(
            epoch from first_words.replied_at
            - case
                when first_words.asked_at > closed_chats.accepted_at then first_words.asked_at
                else closed_chats.accepted_at
            end
        ) as amount
    from closed_chats
    inner join first_words
        on closed_chats.conversation_key = first_words.conversation_key
    -- 0 means there that the server measured none.
    where closed_chats.first_response_seconds > 0 and first_words.replied_at is not null

    union all

    select
        'first_response_seconds' as rule_id,
        source_id,
        'queue' as unit_kind,
        department as unit_key,
        business_date,
        'theirs' as side,
        first_response_seconds as amount
    from closed_chats
    where first_response_seconds > 0

),

-- Chatwoot tells with each conversation when it was first replied to; we find it in the messages.
desk_sides as (

    select
        conversations.source_id,
        conversations.queue_account,
        conversations.business_date,
        'ours' as side,
        extract(epoch from conversations.first_human_reply_at - conversations.started_at)::numeric as reply_seconds
    from conversations
    inner join sources
        on conversations.source_id = sources.source_id
    where sources.system = 'chatwoot' and conversations.first_human_reply_at is not null

    union all

    select
        desk.source_id,
        inboxes.name as queue_account,
        {{ local_date('desk.started_at', 'site') }} as business_date,
        'theirs' as side,
        extract(epoch from desk.first_reply_at - desk.started_at)::numeric as reply_seconds
    from {{ ref('stg_chatwoot__conversation') }} as desk
    cross join site
    left join {{ ref('stg_chatwoot__inbox') }} as inboxes
        on desk.source_id = inboxes.source_id and desk.inbox_id = inboxes.inbox_id
    where desk.first_reply_at is not null

),

desks as (

    select
        counted.rule_id,
        desk_sides.source_id,
        'queue' as unit_kind,
        desk_sides.queue_account as unit_key,
        desk_sides.business_date,
        desk_sides.side,
        counted.amount
    from desk_sides
    cross join
        lateral (
            values ('first_replies', 1::numeric), ('first_reply_seconds', desk_sides.reply_seconds)
        ) as counted (rule_id, amount)

),

sides as (

    select * from calls
    union all
    select * from chats
    union all
    select * from desks

),

units as (

    select
        rule_id,
        source_id,
        unit_kind,
        coalesce(unit_key, '?') as unit_key,
        business_date,
        side,
        amount
    from sides
    where unit_kind is not null

    union all

    select
        rule_id,
        source_id,
        'source' as unit_kind,
        source_id as unit_key,
        business_date,
        side,
        amount
    from sides

),

-- A source that never tells a total of its own (the REST interface of a chat server has no participants) is not
-- compared: NULL, which is neither 0 nor fine.
telling as (

    select
        rule_id,
        source_id
    from sides
    where side = 'theirs'
    group by rule_id, source_id

),

totals as (

    select
        units.rule_id,
        units.source_id,
        units.unit_kind,
        units.unit_key,
        units.business_date,
        coalesce(sum(units.amount) filter (where units.side = 'ours'), 0) as our_value,
        case
            when bool_or(telling.source_id is not null)
                then coalesce(sum(units.amount) filter (where units.side = 'theirs'), 0)
        end as source_value
    from units
    left join telling
        on units.rule_id = telling.rule_id and units.source_id = telling.source_id
    where units.business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
    group by units.rule_id, units.source_id, units.unit_kind, units.unit_key, units.business_date

),

compared as (

    select
        *,
        case
            when source_value is null then null
            when our_value = source_value then 0
            else abs(our_value - source_value) / greatest(abs(our_value), abs(source_value))
        end as difference_share
    from totals

)

select
    compared.source_id::text as source_id,
    compared.rule_id::text as rule_id,
    compared.unit_kind::text as unit_kind,
    compared.unit_key::text as unit_key,
    compared.business_date::date as business_date,
    rules.name_zh::text as name_zh,
    rules.name_en::text as name_en,
    rules.compared_zh::text as compared_zh,
    rules.compared_en::text as compared_en,
    trim_scale(compared.our_value)::numeric as our_value,
    trim_scale(compared.source_value)::numeric as source_value,
    round(compared.difference_share, 10)::numeric as difference_share,
    rules.tolerance_share::numeric as tolerance_share,
    compared.difference_share <= rules.tolerance_share as is_within,
    rules.is_blocking and coalesce(compared.difference_share > rules.tolerance_share, false) as is_blocking
from compared
left join rules
    on compared.rule_id = rules.rule_id
