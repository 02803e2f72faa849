{{ config(indexes=[{'columns': ['agent_key'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

defaults as (

    select
        (body #>> '{integrity, burst_days}')::integer as burst_days,
        (body #>> '{integrity, top_customers}')::integer as top_customers,
        make_interval(days => (body #>> '{integrity, after_days}')::integer) as contradicted_within
    from ({{ current_config('defaults') }}) as current_defaults

),

agents as (

    select
        agent_key,
        min(cohort_key) as cohort_key
    from {{ ref('int_plan_agent') }}
    group by agent_key

),

business_days as (

    select
        windows.business_date,
        row_number() over (order by windows.business_date desc) as days_before_end
    from {{ ref('int_service_window') }} as windows
    cross join period
    where windows.is_default and windows.business_date between period.period_start and period.period_end
    group by windows.business_date

),

burst as (

    select business_days.business_date as first_date
    from business_days
    cross join defaults
    where business_days.days_before_end = defaults.burst_days

),

-- What an agent was really given; whether each is an opinion is for the rules of rows.
ratings as (

    select
        ratings.rating_key,
        ratings.served_agent_key as agent_key,
        ratings.conversation_key,
        ratings.customer_key,
        ratings.answered_at,
        ratings.business_date,
        ratings.is_maximum
    from {{ ref('fct_rating') }} as ratings
    cross join period
    where
        ratings.instrument_kind = 'csat'
        and ratings.served_agent_key is not null
        and ratings.business_date between period.period_start and period.period_end
        and coalesce(ratings.exclusion_rule not in ('V9', 'V7', 'V3', 'V1'), true)
),

eligible as (

    select
        credits.agent_key,
        count(*) as eligible_count,
        count(*) filter (where credits.business_date >= burst.first_date) as eligible_last_count
    from {{ ref('int_last_effective_segment') }} as credits
    cross join period
    left join burst
        on true
    where credits.business_date between period.period_start and period.period_end
    group by credits.agent_key

),

complaints as (

    select
        conversation_key,
        customer_key,
        agent_key,
        received_at
    from {{ ref('fct_complaint') }}
    where is_upheld

),

refunds as (

    select
        customer_key,
        agent_key,
        entry_at
    from {{ ref('fct_order_link') }}
    where entry_kind = 'refund'

),

anger as (

    select
        messages.source_id || ':' || messages.conversation_id as conversation_key,
        messages.sent_at,
        conversations.customer_key
    from {{ ref('int_message') }} as messages
    inner join {{ ref('stg_text__feature') }} as features
        on messages.source_id = features.source_id and messages.message_id::text = features.message_key
    inner join {{ ref('fct_conversation') }} as conversations
        on messages.source_id || ':' || messages.conversation_id = conversations.conversation_key
    where
        messages.author_kind = 'customer'
        and features.entity = 'message'
        and features.feature = 'strongly_negative'

),

contradicted as (

    select ratings.rating_key
    from ratings
    cross join defaults
    where
        ratings.is_maximum
        and (
            exists (
                select 1
                from complaints
                where
                    complaints.agent_key = ratings.agent_key
                    and (
                        complaints.conversation_key = ratings.conversation_key
                        or (
                            complaints.customer_key = ratings.customer_key
                            and complaints.received_at
                            between ratings.answered_at and ratings.answered_at + defaults.contradicted_within
                        )
                    )
            )
            or exists (
                select 1
                from refunds
                where
                    refunds.agent_key = ratings.agent_key
                    and refunds.customer_key = ratings.customer_key
                    and refunds.entry_at
                    between ratings.answered_at and ratings.answered_at + defaults.contradicted_within
            )
            or exists (
                select 1
                from anger
                where
                    anger.conversation_key = ratings.conversation_key
                    or (
                        anger.customer_key = ratings.customer_key
                        and anger.sent_at
                        between ratings.answered_at and ratings.answered_at + defaults.contradicted_within
                    )
            )
        )

),

by_customer as (

    select
        agent_key,
        customer_key,
        count(*) as rating_count,
        row_number() over (partition by agent_key order by count(*) desc, customer_key) as customer_rank
    from ratings
    where customer_key is not null
    group by agent_key, customer_key

),

concentration as (

    select
        by_customer.agent_key,
        sum(by_customer.rating_count) as known_count,
        count(*) as customer_count,
        max(by_customer.rating_count) as top_customer_count,
        sum(by_customer.rating_count) filter (
            where by_customer.customer_rank <= defaults.top_customers
        ) as top_customers_count
    from by_customer
    cross join defaults
    group by by_customer.agent_key

),

counted as (

    select
        ratings.agent_key,
        count(*) as rating_count,
        count(*) filter (where ratings.business_date >= burst.first_date) as last_count,
        count(*) filter (where ratings.is_maximum) as maximum_count,
        count(contradicted.rating_key) as contradicted_count
    from ratings
    left join burst
        on true
    left join contradicted
        on ratings.rating_key = contradicted.rating_key
    group by ratings.agent_key

),

-- A contradiction can only be seen where complaints, orders or texts are delivered at all.
means as (

    select
        exists (select 1 from {{ ref('fct_complaint') }})
        or exists (select 1 from {{ ref('fct_order_link') }})
        or exists (
            select 1 from {{ ref('stg_text__reading') }}
            where feature = 'strongly_negative' and entity = 'message' and is_up_to_date
        ) as can_be_contradicted

)

select
    agents.cohort_key,
    agents.agent_key,
    coalesce(counted.rating_count, 0) as rating_count,
    coalesce(counted.last_count, 0) as last_count,
    coalesce(eligible.eligible_count, 0) as eligible_count,
    coalesce(eligible.eligible_last_count, 0) as eligible_last_count,
    coalesce(concentration.known_count, 0)::bigint as known_count,
    coalesce(concentration.customer_count, 0) as customer_count,
    coalesce(concentration.top_customer_count, 0) as top_customer_count,
    coalesce(concentration.top_customers_count, 0)::bigint as top_customers_count,
    coalesce(counted.maximum_count, 0) as maximum_count,
    case when means.can_be_contradicted then coalesce(counted.contradicted_count, 0) end as contradicted_count
from agents
cross join means
left join counted
    on agents.agent_key = counted.agent_key
left join eligible
    on agents.agent_key = eligible.agent_key
left join concentration
    on agents.agent_key = concentration.agent_key
