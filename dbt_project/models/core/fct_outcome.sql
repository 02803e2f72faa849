{{ config(indexes=[{'columns': ['conversation_key'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key'], dates=['business_date'], clock='matured') }}

with credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

conversations as (

    select * from {{ ref('fct_conversation') }}
    where ended_at is not null

),

follow_ups as (

    select * from {{ ref('int_customer_follow_up') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

assists as (

    select conversation_key
    from {{ ref('int_assist') }}
    group by conversation_key

),

callbacks as (

    select conversation_key
    from {{ ref('int_callback_task') }}
    group by conversation_key

),

tickets as (

    select
        conversation_key,
        close_code
    from {{ ref('int_linked_ticket') }}

),

coding as (

    select * from {{ ref('int_outcome_coding') }}

),

labels as (

    select
        conversation_key,
        bool_or(label = 'cancellation_request') as is_cancellation_request,
        bool_or(label = 'cancellation_saved') as is_cancellation_saved,
        bool_or(label = 'new_business') as is_new_business,
        max(case label_value when '-1' then -1 when '0' then 0 when '1' then 1 end) filter (
            where label = 'sentiment_first'
        ) as sentiment_first,
        max(case label_value when '-1' then -1 when '0' then 0 when '1' then 1 end) filter (
            where label = 'sentiment_last'
        ) as sentiment_last
    from {{ ref('int_contact_label') }}
    where
        label in ('cancellation_request', 'cancellation_saved', 'new_business', 'sentiment_first', 'sentiment_last')
    group by conversation_key

)

select
    conversations.conversation_key,
    conversations.source_id,
    conversations.channel,
    credits.agent_key,
    credits.team_key,
    conversations.queue_key,
    conversations.customer_key,
    conversations.started_at,
    conversations.ended_at,
    conversations.closed_by,
    conversations.is_auto_closed,
    -- Never greatest(): without a reply there is no session to time.
    case
        when conversations.first_human_reply_at <= conversations.ended_at
            then extract(epoch from conversations.ended_at - conversations.first_human_reply_at)::bigint
        when conversations.first_human_reply_at > conversations.ended_at then 0
    end as session_seconds,
    conversations.segment_count,
    conversations.transfer_count > 0 as has_transfer,
    assists.conversation_key is not null as has_assist,
    callbacks.conversation_key is not null as has_callback,
    conversations.transfer_count = 0
    and assists.conversation_key is null
    and callbacks.conversation_key is null as is_solved_internally,
    conversations.reopened_count,
    coalesce(
        conversations.shortest_closed_seconds <= parameters.fcr_window_days * 86400, false
    ) as is_reopened_in_window,
    case
        when conversations.customer_key is not null
            then coalesce(follow_ups.repeat_due_at <= '{{ var("as_of") }}'::timestamptz, false)
    end as is_repeat_matured,
    case
        when follow_ups.repeat_due_at <= '{{ var("as_of") }}'::timestamptz
            then
                follow_ups.is_repeated
                or coalesce(conversations.shortest_closed_seconds <= parameters.fcr_window_days * 86400, false)
    end as is_repeated,
    conversations.issue_class,
    tickets.close_code as ticket_close_code,
    coalesce(credits.business_date >= coding.coded_from, false) as is_coding_expected,
    coalesce(labels.is_cancellation_request, false) as is_cancellation_request,
    coalesce(labels.is_cancellation_request and labels.is_cancellation_saved, false)
    and not coalesce(follow_ups.is_cancelled_again, false) as is_cancellation_saved,
    coalesce(labels.is_new_business, false) as is_new_business,
    labels.sentiment_first,
    labels.sentiment_last,
    conversations.business_date as conversation_date,
    credits.business_date
from conversations
inner join credits
    on conversations.conversation_key = credits.conversation_key
inner join parameters
    on credits.business_date between parameters.valid_from and parameters.valid_to
left join follow_ups
    on conversations.conversation_key = follow_ups.conversation_key
left join assists
    on conversations.conversation_key = assists.conversation_key
left join callbacks
    on conversations.conversation_key = callbacks.conversation_key
left join tickets
    on conversations.conversation_key = tickets.conversation_key
left join coding
    on conversations.source_id = coding.source_id and credits.team_key = coding.team_key
left join labels
    on conversations.conversation_key = labels.conversation_key
