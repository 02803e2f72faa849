{{ moves('conversation', key=['conversation_key'], customer='customer_key', dates=['business_date']) }}

with conversations as (

    select * from {{ ref('int_conversation') }}

),

segments as (

    select
        conversation_key,
        count(*) as segment_count,
        count(*) filter (where is_effective) as effective_segment_count,
        min(assigned_at) filter (where segment_number = 1) as accepted_at,
        -- Where people take their conversations themselves, the click is theirs and starts nothing.
        min(assigned_at) filter (where segment_number = 1 and assigned_by <> 'accept') as assigned_at,
        count(*) filter (where is_transfer) as transfer_count
    from {{ ref('fct_segment') }}
    group by conversation_key

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

queues as (

    select * from {{ ref('stg_cfg__queue_version') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

issue_classes as (

    select
        conversation_key,
        issue_class
    from {{ ref('int_issue_class') }}

),

follow_ups as (

    select
        conversation_key,
        bot_due_at,
        is_followed_by_human
    from {{ ref('int_customer_follow_up') }}

),

timed as (

    select
        conversations.*,
        conversations.source_id || ':' || conversations.conversation_id as conversation_key,
        extract(
            epoch from conversations.first_answer_at - conversations.first_customer_message_at
        )::bigint as customer_response_seconds,
        extract(
            epoch from conversations.visitor_left_at - conversations.entered_at
        )::bigint as left_after_seconds,
        {{ local_date('conversations.started_at', 'site') }} as business_date
    from conversations
    cross join site

)

select
    timed.conversation_key,
    timed.source_id,
    sources.channel,
    queues.queue_key,
    coalesce(queues.team_key, 'unassigned') as team_key,
    timed.customer_key,
    timed.customer_kind,
    timed.started_at,
    timed.ended_at,
    timed.closed_by,
    coalesce(timed.closed_by in ('system', 'stale'), false) as is_auto_closed,
    timed.visitor_left_at,
    coalesce(timed.first_customer_message_at, segments.accepted_at) as asked_at,
    timed.first_human_reply_at,
    coalesce(segments.segment_count, 0) as segment_count,
    coalesce(segments.effective_segment_count, 0) as effective_segment_count,
    coalesce(segments.transfer_count, 0) as transfer_count,
    coalesce(segments.effective_segment_count, 0) > 0 as is_effective,
    timed.first_customer_message_at is not null
    and not (
        timed.first_answer_at is null
        and coalesce(timed.left_after_seconds < parameters.short_abandon_seconds, false)
    )
    and (
        parameters.hours_mode is distinct from 'window'
        or ({{ in_service_window('timed.started_at', 'site', 'parameters') }})
    ) as is_first_response_due,
    -- Not greatest() of the seconds: it would turn a missing reply into an instant one.
    case
        when timed.customer_response_seconds < 0 then 0
        else timed.customer_response_seconds
    end as customer_response_seconds,
    case
        when timed.first_customer_message_at is not null and timed.first_answer_at is not null
            then greatest(
                extract(
                    epoch from timed.first_answer_at - case parameters.frt_clock_start
                        when 'message' then timed.first_customer_message_at
                        when 'conversation' then timed.started_at
                        when 'accept' then greatest(timed.first_customer_message_at, segments.accepted_at)
                        else greatest(timed.first_customer_message_at, segments.assigned_at)
                    end
                )::bigint,
                0
            )
    end as first_response_seconds,
    timed.first_customer_message_at is not null as has_customer_message,
    timed.first_answer_at is not null as is_replied,
    timed.first_customer_message_at is not null
    or coalesce(parameters.bot_counts = 'counted' and timed.has_bot_question, false) as is_reply_expected,
    timed.first_answer_at is not null
    or coalesce(parameters.bot_counts = 'counted' and timed.has_bot_question, false) as is_reply_given,
    timed.has_bot,
    timed.is_bot_only,
    timed.has_bot and not timed.is_bot_only as is_handed_off,
    timed.bot_message_count,
    timed.is_left_before_second_answer,
    timed.bot_question_count,
    timed.bot_hit_count,
    -- The window has passed at as_of, or nobody knows whom to look for.
    case
        when timed.has_bot and timed.customer_key is not null
            then coalesce(follow_ups.bot_due_at <= '{{ var("as_of") }}'::timestamptz, false)
    end as is_bot_matured,
    case
        when timed.has_bot and follow_ups.bot_due_at <= '{{ var("as_of") }}'::timestamptz
            then timed.is_bot_only and not follow_ups.is_followed_by_human
    end as is_bot_resolved,
    timed.reopened_count,
    timed.shortest_closed_seconds,
    issue_classes.issue_class,
    timed.is_group,
    timed.is_spam,
    case when site.test_customers ? timed.customer_key then true else timed.is_test end as is_test,
    {{ in_service_window('timed.started_at', 'site', 'parameters') }} as is_in_service_window,
    timed.business_date
from timed
inner join sources
    on timed.source_id = sources.source_id
cross join site
inner join parameters
    on timed.business_date between parameters.valid_from and parameters.valid_to
left join queues
    on
        timed.source_id = queues.source_id
        and timed.queue_account = queues.account
        and timed.business_date between queues.valid_from and queues.valid_to
left join segments
    on timed.conversation_key = segments.conversation_key
left join issue_classes
    on timed.conversation_key = issue_classes.conversation_key
left join follow_ups
    on timed.conversation_key = follow_ups.conversation_key
