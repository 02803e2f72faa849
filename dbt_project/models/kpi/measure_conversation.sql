-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_conversation': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_conversation') }}

),

credited as (

    select
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when is_first_response_due then 1 end as first_responses_due,
        case when is_first_response_due and first_response_seconds <= parameters.first_response_limit_seconds then 1 end as first_responses_in_time,
        case when is_first_response_due and first_response_seconds is not null then 1 end as first_responses,
        case when is_first_response_due then customer_response_seconds end as first_response_seconds,
        case when is_reply_expected and is_in_service_window then 1 end as conversations_to_reply,
        case when is_reply_expected and is_in_service_window and is_reply_given then 1 end as conversations_replied,
        case when true then 1 end as conversations_started,
        case when is_bot_only then 1 end as conversations_bot_only,
        case when not is_bot_only then 1 end as conversations_with_people,
        case when has_bot then 1 end as bot_conversations,
        case when is_handed_off then 1 end as bot_conversations_handed_off,
        case when is_left_before_second_answer is not null then 1 end as bot_conversations_traced,
        case when is_left_before_second_answer then 1 end as bot_conversations_left_early,
        case when is_bot_matured then 1 end as bot_conversations_matured,
        case when is_bot_resolved then 1 end as bot_conversations_resolved,
        case when true then bot_question_count end as bot_questions,
        case when true then bot_hit_count end as bot_hits
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

),

pooled as (

    select
        case
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            team_unit,
            case when grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(first_responses_due), 0)::numeric as first_responses_due,
        coalesce(sum(first_responses_in_time), 0)::numeric as first_responses_in_time,
        coalesce(sum(first_responses), 0)::numeric as first_responses,
        coalesce(sum(first_response_seconds), 0)::numeric as first_response_seconds,
        coalesce(sum(conversations_to_reply), 0)::numeric as conversations_to_reply,
        coalesce(sum(conversations_replied), 0)::numeric as conversations_replied,
        coalesce(sum(conversations_started), 0)::numeric as conversations_started,
        coalesce(sum(conversations_bot_only), 0)::numeric as conversations_bot_only,
        coalesce(sum(conversations_with_people), 0)::numeric as conversations_with_people,
        coalesce(sum(bot_conversations), 0)::numeric as bot_conversations,
        coalesce(sum(bot_conversations_handed_off), 0)::numeric as bot_conversations_handed_off,
        coalesce(sum(bot_conversations_traced), 0)::numeric as bot_conversations_traced,
        coalesce(sum(bot_conversations_left_early), 0)::numeric as bot_conversations_left_early,
        coalesce(sum(bot_conversations_matured), 0)::numeric as bot_conversations_matured,
        coalesce(sum(bot_conversations_resolved), 0)::numeric as bot_conversations_resolved,
        coalesce(sum(bot_questions), 0)::numeric as bot_questions,
        coalesce(sum(bot_hits), 0)::numeric as bot_hits
    from credited
    group by grouping sets (
        (team_unit, channel, business_date),
        (channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('first_responses_due', false, pooled.first_responses_due),
    ('first_responses_in_time', false, pooled.first_responses_in_time),
    ('first_responses', false, pooled.first_responses),
    ('first_response_seconds', false, pooled.first_response_seconds),
    ('conversations_to_reply', false, pooled.conversations_to_reply),
    ('conversations_replied', false, pooled.conversations_replied),
    ('conversations_started', false, pooled.conversations_started),
    ('conversations_bot_only', false, pooled.conversations_bot_only),
    ('conversations_with_people', false, pooled.conversations_with_people),
    ('bot_conversations', false, pooled.bot_conversations),
    ('bot_conversations_handed_off', false, pooled.bot_conversations_handed_off),
    ('bot_conversations_traced', false, pooled.bot_conversations_traced),
    ('bot_conversations_left_early', false, pooled.bot_conversations_left_early),
    ('bot_conversations_matured', false, pooled.bot_conversations_matured),
    ('bot_conversations_resolved', false, pooled.bot_conversations_resolved),
    ('bot_questions', false, pooled.bot_questions),
    ('bot_hits', false, pooled.bot_hits)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}