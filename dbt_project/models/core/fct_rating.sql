{{ moves(
    'conversation', key=['conversation_key'], may_lack_key=true, period_date='business_date', dates=['business_date']
) }}

with ratings as (

    select * from {{ ref('int_rating') }}

),

signals as (

    select * from {{ ref('int_rating_signal') }}

),

instruments as (

    select * from {{ ref('stg_cfg__instrument_version') }}

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
        (body #>> '{rating, max_per_customer_agent}')::integer as most_per_customer_and_agent,
        (body #>> '{rating, min_seconds}')::numeric as least_seconds,
        (body #>> '{rating, fast_share_exclude}')::numeric as most_fast_share
    from ({{ current_config('defaults') }}) as current_defaults

),

-- Read once, not for every rating: the defaults are a long text.
windows as materialized (

    select
        valid_from,
        valid_to,
        (body #>> '{rating, window_h}')::double precision * interval '1 hour' as rating_window
    from ({{ config_versions('defaults') }}) as defaults_versions

),

disputed as (

    select row_key
    from {{ ref('int_row_exclusion') }}
    where row_kind = 'rating'

),

-- A rating belongs to a conversation of its own source, or of the source its sheet names, or to none.
-- Kept, because PostgreSQL expects one of these rows when it joins them with what was asked.
keyed as materialized (

    select
        ratings.source_id,
        ratings.conversation_id,
        ratings.instrument_account,
        ratings.answered_at,
        ratings.agent_key,
        ratings.customer_key,
        ratings.reason_code,
        ratings.source_id || ':' || ratings.rating_id as rating_key,
        ratings.conversation_key,
        -- Of a rating that was raised after contact the first value counts (V8).
        coalesce(signals.first_value, ratings.rating_value) as rating_value,
        ratings.rating_value as last_value,
        signals.first_value is not null as is_raised,
        signals.answer_seconds,
        coalesce(signals.is_before_last_message, false) as is_before_last_message,
        signals.begging_excerpt,
        coalesce(signals.is_straight_lined, false) as is_straight_lined
    from ratings
    left join signals
        on ratings.source_id || ':' || ratings.rating_id = signals.rating_key

),

-- A rating has the date of its conversation; without one, that of the answer.
dated as (

    select
        keyed.*,
        conversations.conversation_key is not null as is_known,
        conversations.channel,
        conversations.ended_at,
        credits.agent_key as credited_agent_key,
        credits.team_key,
        coalesce(conversations.customer_key, keyed.customer_key) as person_key,
        coalesce(credits.business_date, conversations.business_date) as conversation_date,
        coalesce(site.test_customers ? coalesce(conversations.customer_key, keyed.customer_key), false)
            as is_test_customer,
        {{ local_date('keyed.answered_at', 'site') }} as answer_date
    from keyed
    cross join site
    left join conversations
        on keyed.conversation_key = conversations.conversation_key
    left join credits
        on keyed.conversation_key = credits.conversation_key

),

linked as (

    select
        dated.rating_key,
        dated.conversation_key,
        instruments.instrument_key,
        instruments.kind as instrument_kind,
        dated.channel,
        coalesce(
            dated.credited_agent_key, case when dated.conversation_id is null then dated.agent_key end
        ) as agent_key,
        dated.team_key,
        dated.person_key as customer_key,
        dated.rating_value,
        dated.last_value,
        dated.is_raised,
        dated.answer_seconds,
        dated.begging_excerpt,
        dated.is_straight_lined,
        coalesce(dated.answer_seconds < defaults.least_seconds, false) or dated.is_before_last_message as is_fast,
        defaults.most_fast_share,
        dated.reason_code,
        dated.answered_at,
        case
            -- Whether customers would recommend us is asked about us, not about one conversation.
            when instruments.kind = 'nps' or dated.conversation_id is null then dated.answer_date
            else dated.conversation_date
        end as business_date,
        instruments.top_box @> to_jsonb(dated.rating_value) as is_top_box,
        dated.rating_value = case instruments.best
            when 'high' then instruments.scale_maximum
            else instruments.scale_minimum
        end as is_maximum,
        -- 0 is the worst end of the scale and 1 the best, whichever of them has the higher number.
        case instruments.best
            when 'high' then dated.rating_value - instruments.scale_minimum
            else instruments.scale_maximum - dated.rating_value
        end as steps_above_worst,
        instruments.scale_maximum - instruments.scale_minimum as scale_steps,
        instruments.product_reasons @> to_jsonb(dated.reason_code) as is_product_reason,
        instruments.kind <> 'nps'
        and dated.credited_agent_key is null
        and (dated.conversation_id is not null or dated.agent_key is null) as is_unserved,
        instruments.kind <> 'nps'
        and (not dated.is_known or coalesce(dated.answered_at > dated.ended_at + windows.rating_window, false))
            as is_outside,
        staff.staff_key is not null or dated.is_test_customer as is_staff_or_test,
        disputed.row_key is not null as is_disputed
    from dated
    inner join instruments
        on
            dated.source_id = instruments.source_id
            and dated.instrument_account = instruments.account
            and coalesce(
                case when instruments.kind <> 'nps' then dated.conversation_date end, dated.answer_date, 'infinity'
            ) between instruments.valid_from and instruments.valid_to
    cross join defaults
    left join windows
        on dated.conversation_date between windows.valid_from and windows.valid_to
    left join staff
        on dated.person_key = staff.staff_key
    left join disputed
        on dated.rating_key = disputed.row_key

),

-- What a dispute took out stands for nothing. Then the order of the rules is fixed: no service, outside the window,
-- staff and tests (reliability.md 2).
served as (

    select
        *,
        case
            when is_disputed then 'disputed'
            when is_unserved then 'V9'
            when is_outside then 'V7'
            when is_staff_or_test then 'V3'
        end as row_rule
    from linked

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
    from served

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
        end as customer_rule,
        once_per_conversation.business_date
        between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date as is_in_period
    from once_per_conversation
    cross join defaults

),

-- Too fast answers speak against an agent's ratings only when they are many; what fell out before does not count.
timed as (

    select
        *,
        case
            when is_fast and is_in_period and customer_rule is null
                then
                    count(*) filter (where is_fast and customer_rule is null and is_in_period) over of_agent
                    / count(*) filter (where customer_rule is null and is_in_period) over of_agent::numeric
        end as fast_share
    from twice_per_customer
    window of_agent as (partition by agent_key, instrument_kind)

),

ruled as (

    select
        *,
        coalesce(fast_share > most_fast_share, false) as is_fast_excluded,
        case
            when customer_rule is not null then customer_rule
            when coalesce(fast_share > most_fast_share, false) then 'V4'
            when begging_excerpt is not null then 'V5'
            when is_straight_lined then 'V10'
        end as exclusion_rule,
        array_remove(array[
            case when is_unserved then 'V9' end,
            case when is_outside then 'V7' end,
            case when is_staff_or_test then 'V3' end,
            case when is_raised then 'V8' end,
            case when conversation_rule = 'V1' then 'V1' end,
            case when customer_rule = 'V2' then 'V2' end,
            case when is_fast then 'V4' end,
            case when begging_excerpt is not null then 'V5' end,
            case when is_product_reason then 'V6' end,
            case when is_straight_lined then 'V10' end
        ], null) as rule_ids
    from timed

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
    ratings.agent_key as served_agent_key,
    ratings.rating_value,
    ratings.last_value,
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
    ratings.rule_ids,
    ratings.is_fast_excluded,
    ratings.fast_share,
    ratings.answer_seconds,
    ratings.begging_excerpt,
    ratings.business_date
from ruled as ratings
left join teams
    on
        ratings.team_key is null
        and ratings.agent_key = teams.agent_key
        and ratings.business_date between teams.valid_from and teams.valid_to
