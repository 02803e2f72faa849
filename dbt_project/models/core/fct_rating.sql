with ratings as (

    select * from {{ ref('int_rating') }}

),

instruments as (

    select * from {{ ref('stg_cfg__instrument') }}

),

conversations as (

    select
        conversation_key,
        channel,
        customer_key,
        ended_at,
        business_date
    from {{ ref('fct_conversation') }}

),

credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

staff as (

    select email_key as staff_key
    from {{ ref('stg_tabular__employee') }}
    where email_key is not null
    union
    select phone_key as staff_key
    from {{ ref('stg_tabular__employee') }}
    where phone_key is not null

),

defaults as (

    select
        (body #>> '{rating, window_h}')::numeric as window_hours,
        (body #>> '{rating, max_per_customer_agent}')::integer as most_per_customer_and_agent
    from ({{ current_config('defaults') }}) as current_defaults

),

linked as (

    select
        ratings.source_id || ':' || ratings.rating_id as rating_key,
        ratings.source_id || ':' || ratings.conversation_id as conversation_key,
        instruments.instrument_key,
        instruments.kind as instrument_kind,
        conversations.channel,
        credits.agent_key,
        credits.team_key,
        conversations.customer_key,
        ratings.rating_value,
        ratings.answered_at,
        coalesce(credits.business_date, conversations.business_date) as business_date,
        instruments.top_box @> to_jsonb(ratings.rating_value) as is_top_box,
        ratings.rating_value = case instruments.best
            when 'high' then instruments.scale_maximum
            else instruments.scale_minimum
        end as is_maximum,
        -- Order of the rules is fixed: no service, outside the window, staff (reliability.md 2).
        case
            when credits.agent_key is null then 'V9'
            when
                conversations.conversation_key is null
                or ratings.answered_at > conversations.ended_at + make_interval(hours => defaults.window_hours::integer)
                then 'V7'
            when staff.staff_key is not null then 'V3'
        end as row_rule
    from ratings
    inner join instruments
        on ratings.source_id = instruments.source_id and ratings.instrument_account = instruments.account
    cross join defaults
    left join conversations
        on ratings.source_id || ':' || ratings.conversation_id = conversations.conversation_key
    left join credits
        on ratings.source_id || ':' || ratings.conversation_id = credits.conversation_key
    left join staff
        on conversations.customer_key = staff.staff_key

),

once_per_conversation as (

    select
        *,
        case
            when row_rule is not null then row_rule
            when
                row_number() over (
                    partition by conversation_key, instrument_key, row_rule is null
                    order by answered_at desc nulls last, rating_key desc
                ) > 1
                then 'V1'
        end as conversation_rule
    from linked

),

twice_per_customer as (

    select
        once_per_conversation.*,
        case
            when once_per_conversation.conversation_rule is not null then once_per_conversation.conversation_rule
            when
                once_per_conversation.customer_key is not null
                and once_per_conversation.business_date
                between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                and row_number() over (
                    partition by
                        once_per_conversation.customer_key,
                        once_per_conversation.agent_key,
                        once_per_conversation.instrument_kind,
                        once_per_conversation.conversation_rule is null,
                        once_per_conversation.business_date
                        between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                    order by once_per_conversation.answered_at, once_per_conversation.rating_key
                ) > defaults.most_per_customer_and_agent
                then 'V2'
        end as exclusion_rule
    from once_per_conversation
    cross join defaults

)

select
    rating_key,
    conversation_key,
    instrument_key,
    instrument_kind,
    channel,
    agent_key,
    coalesce(team_key, 'unassigned') as team_key,
    customer_key,
    rating_value,
    is_top_box,
    is_maximum,
    answered_at,
    exclusion_rule,
    exclusion_rule is null as is_valid_for_score,
    business_date
from twice_per_customer
