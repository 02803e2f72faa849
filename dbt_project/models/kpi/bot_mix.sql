with conversations as (

    select
        conversations.*,
        case
            when conversations.has_bot is null then 'unknown'
            when conversations.is_bot_only then 'bot_only'
            when conversations.is_handed_off then 'handed_off'
            else 'human_only'
        end as route
    from {{ ref('fct_conversation') }} as conversations
    where conversations.channel = 'chat'

),

exempt as (

    select * from {{ ref('exempt_day') }}
    where metric_id = 'bot_share'

),

outcomes as (

    select
        conversation_key,
        has_transfer,
        is_repeat_matured,
        is_repeated
    from {{ ref('fct_outcome') }}

),

ratings as (

    select
        conversation_key,
        count(*) as rating_count,
        count(*) filter (where is_top_box) as satisfied_count
    from {{ ref('fct_rating') }}
    where is_valid_for_score and instrument_kind = 'csat'
    group by conversation_key

),

joined as (

    select
        conversations.team_key,
        conversations.business_date,
        conversations.route,
        conversations.is_first_response_due,
        conversations.is_replied,
        conversations.is_left_before_second_answer,
        conversations.is_bot_matured,
        conversations.is_bot_resolved,
        conversations.first_response_seconds,
        outcomes.conversation_key is not null as is_outcome,
        outcomes.has_transfer,
        outcomes.is_repeat_matured,
        outcomes.is_repeated,
        coalesce(ratings.rating_count, 0) as rating_count,
        coalesce(ratings.satisfied_count, 0) as satisfied_count
    from conversations
    left join outcomes
        on conversations.conversation_key = outcomes.conversation_key
    left join ratings
        on conversations.conversation_key = ratings.conversation_key

)

select
    unit.unit_kind,
    unit.unit_key,
    joined.business_date,
    joined.route,
    count(*) as conversation_count,
    count(*) filter (where joined.is_left_before_second_answer) as asked_at_once_count,
    count(*) filter (where joined.is_bot_matured) as bot_matured_count,
    count(*) filter (where joined.is_bot_matured and joined.is_bot_resolved) as bot_resolved_count,
    count(*) filter (where joined.is_first_response_due) as response_due_count,
    count(*) filter (where joined.is_first_response_due and joined.is_replied) as replied_count,
    coalesce(
        sum(joined.first_response_seconds) filter (where joined.is_first_response_due), 0
    )::bigint as first_response_seconds,
    count(*) filter (where joined.is_outcome) as outcome_count,
    count(*) filter (where joined.has_transfer) as transferred_count,
    count(*) filter (where joined.is_repeat_matured) as repeat_matured_count,
    count(*) filter (where joined.is_repeat_matured and joined.is_repeated) as repeated_count,
    sum(joined.rating_count)::bigint as rating_count,
    sum(joined.satisfied_count)::bigint as satisfied_count
from joined
cross join
    lateral (
        values
        ('team', joined.team_key),
        ('site', 'site')
    ) as unit (unit_kind, unit_key)
left join exempt
    on
        joined.business_date = exempt.business_date
        and (exempt.unit_kind = 'all' or (unit.unit_kind = exempt.unit_kind and unit.unit_key = exempt.unit_key))
where exempt.metric_id is null
group by unit.unit_kind, unit.unit_key, joined.business_date, joined.route
