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

teams as (

    select * from {{ ref('int_agent_team') }}

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

site as (

    select * from {{ ref('stg_cfg__site') }}

),

defaults as (

    select
        (body #>> '{rating, window_h}')::numeric as window_hours,
        (body #>> '{rating, max_per_customer_agent}')::integer as most_per_customer_and_agent
    from ({{ current_config('defaults') }}) as current_defaults

),

-- A rating belongs to a conversation of its own source, or of the source its sheet names, or to none.
keyed as (

    select
        *,
        source_id || ':' || rating_id as rating_key,
        coalesce(contact_source_id, source_id) || ':' || conversation_id as conversation_key
    from ratings

),

linked as (

    select
        keyed.rating_key,
        keyed.conversation_key,
        instruments.instrument_key,
        instruments.kind as instrument_kind,
        conversations.channel,
        coalesce(credits.agent_key, case when keyed.conversation_id is null then keyed.agent_key end) as agent_key,
        credits.team_key,
        coalesce(conversations.customer_key, keyed.customer_key) as customer_key,
        keyed.rating_value,
        keyed.reason_code,
        keyed.answered_at,
        case
            -- Whether customers would recommend us is asked about us, not about one conversation.
            when instruments.kind = 'nps' then {{ local_date('keyed.answered_at', 'site') }}
            when keyed.conversation_id is null then {{ local_date('keyed.answered_at', 'site') }}
            else coalesce(credits.business_date, conversations.business_date)
        end as business_date,
        instruments.top_box @> to_jsonb(keyed.rating_value) as is_top_box,
        keyed.rating_value = case instruments.best
            when 'high' then instruments.scale_maximum
            else instruments.scale_minimum
        end as is_maximum,
        -- 0 is the worst end of the scale and 1 the best, whichever of them has the higher number.
        case instruments.best
            when 'high' then keyed.rating_value - instruments.scale_minimum
            else instruments.scale_maximum - keyed.rating_value
        end as steps_above_worst,
        instruments.scale_maximum - instruments.scale_minimum as scale_steps,
        instruments.product_reasons @> to_jsonb(keyed.reason_code) as is_product_reason,
        -- Order of the rules is fixed: no service, outside the window, staff (reliability.md 2).
        case
            when
                instruments.kind <> 'nps'
                and credits.agent_key is null
                and (keyed.conversation_id is not null or keyed.agent_key is null)
                then 'V9'
            when
                instruments.kind <> 'nps'
                and keyed.conversation_id is not null
                and (
                    conversations.conversation_key is null
                    or keyed.answered_at
                    > conversations.ended_at + make_interval(hours => defaults.window_hours::integer)
                )
                then 'V7'
            when staff.staff_key is not null then 'V3'
        end as row_rule
    from keyed
    inner join instruments
        on keyed.source_id = instruments.source_id and keyed.instrument_account = instruments.account
    cross join site
    cross join defaults
    left join conversations
        on keyed.conversation_key = conversations.conversation_key
    left join credits
        on keyed.conversation_key = credits.conversation_key
    left join staff
        on coalesce(conversations.customer_key, keyed.customer_key) = staff.staff_key

),

once_per_conversation as (

    select
        *,
        case
            when row_rule is not null then row_rule
            when
                conversation_key is not null
                and row_number() over (
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
                once_per_conversation.instrument_kind <> 'nps'
                and once_per_conversation.customer_key is not null
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
    ratings.rating_key,
    ratings.conversation_key,
    ratings.instrument_key,
    ratings.instrument_kind,
    ratings.channel,
    -- What is wrong with the product is the team's to see and not the agent's to pay for.
    case when not coalesce(ratings.is_product_reason, false) then ratings.agent_key end as agent_key,
    case
        when ratings.agent_key is not null or ratings.instrument_kind <> 'nps'
            then coalesce(ratings.team_key, teams.team_key, 'unassigned')
    end as team_key,
    ratings.customer_key,
    ratings.rating_value,
    trim_scale(case ratings.instrument_kind
        when 'csat' then 1 + 4 * ratings.steps_above_worst / ratings.scale_steps::numeric
        when 'ces' then 1 + 6 * ratings.steps_above_worst / ratings.scale_steps::numeric
        when 'nps' then 10 * ratings.steps_above_worst / ratings.scale_steps::numeric
    end) as rating_points,
    ratings.is_top_box,
    -- The two worst answers, of a short scale the worst one.
    ratings.steps_above_worst <= case when ratings.scale_steps >= 4 then 1 else 0 end as is_bottom_box,
    ratings.is_maximum,
    ratings.reason_code,
    coalesce(ratings.is_product_reason, false) as is_product_reason,
    ratings.answered_at,
    ratings.exclusion_rule,
    ratings.exclusion_rule is null as is_valid_for_score,
    ratings.business_date
from twice_per_customer as ratings
left join teams
    on
        ratings.team_key is null
        and ratings.agent_key = teams.agent_key
        and ratings.business_date between teams.valid_from and teams.valid_to
