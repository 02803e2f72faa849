-- What is scored is credited to an agent, once per conversation and instrument, and at most as often per customer and
-- agent in the period as the defaults allow (reliability.md 2). Recommendations and ratings of the product are credited
-- to teams.
with ratings as (

    select *
    from {{ ref('fct_rating') }}
    where is_valid_for_score

),

defaults as (

    select (body #>> '{rating, max_per_customer_agent}')::integer as most_per_customer_and_agent
    from ({{ current_config('defaults') }}) as current_defaults

),

uncredited as (

    select
        'credited to nobody' as fault,
        rating_key as row_key
    from ratings
    where (agent_key is null and instrument_kind <> 'nps' and not is_product_reason) or business_date is null

),

repeated as (

    select
        'more than one of a conversation' as fault,
        conversation_key || ' ' || instrument_key as row_key
    from ratings
    where conversation_key is not null
    group by conversation_key, instrument_key
    having count(*) > 1

),

crowded as (

    select
        'too many of one customer' as fault,
        ratings.customer_key || ' ' || ratings.agent_key as row_key
    from ratings
    cross join defaults
    where
        ratings.customer_key is not null
        and ratings.agent_key is not null
        and ratings.instrument_kind <> 'nps'
        and ratings.business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
    group by
        ratings.customer_key, ratings.agent_key, ratings.instrument_kind, defaults.most_per_customer_and_agent
    having count(*) > defaults.most_per_customer_and_agent

)

select * from uncredited

union all

select * from repeated

union all

select * from crowded
