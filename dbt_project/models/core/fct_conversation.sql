with conversations as (

    select * from {{ ref('int_conversation') }}

),

segments as (

    select
        conversation_key,
        bool_or(is_effective) as is_effective
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

    select * from {{ ref('stg_cfg__queue') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

timed as (

    select
        conversations.*,
        extract(
            epoch from conversations.first_human_reply_at - conversations.first_customer_message_at
        )::bigint as first_response_seconds,
        extract(
            epoch from conversations.visitor_left_at - conversations.entered_at
        )::bigint as left_after_seconds
    from conversations

)

select
    timed.source_id || ':' || timed.conversation_id as conversation_key,
    timed.source_id,
    sources.channel,
    queues.queue_key,
    coalesce(queues.team_key, 'unassigned') as team_key,
    timed.customer_key,
    timed.started_at,
    timed.ended_at,
    coalesce(segments.is_effective, false) as is_effective,
    timed.first_customer_message_at is not null
    and not (
        timed.first_human_reply_at is null
        and coalesce(timed.left_after_seconds < site.short_abandon_seconds, false)
    ) as is_first_response_due,
    -- Not greatest(): it would turn a missing reply into an instant one.
    case when timed.first_response_seconds < 0 then 0 else timed.first_response_seconds end as first_response_seconds,
    {{ local_date('timed.started_at', 'site') }} as business_date
from timed
inner join sources
    on timed.source_id = sources.source_id
cross join site
left join queues
    on timed.source_id = queues.source_id and timed.queue_account = queues.account
left join segments
    on timed.source_id || ':' || timed.conversation_id = segments.conversation_key
