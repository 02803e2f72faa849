-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_outcome': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_outcome') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when true then 1 end as conversations_closed,
        case when session_seconds is not null and closed_by is distinct from 'stale' then 1 end as sessions,
        case when closed_by is distinct from 'stale' then session_seconds end as session_seconds,
        case when is_solved_internally then 1 end as outcomes_solved_internally,
        case when is_repeat_matured then 1 end as outcomes_matured,
        case when is_repeat_matured and is_repeated then 1 end as outcomes_repeated,
        case when is_repeat_matured and not is_repeated then 1 end as outcomes_not_repeated,
        case when is_coding_expected then 1 end as outcomes_codable,
        case when ticket_close_code in ('solved', 'unsolved') then 1 end as outcomes_coded,
        case when ticket_close_code = 'solved' then 1 end as outcomes_solved,
        case when ticket_close_code = 'solved' and not has_transfer and coalesce(reopened_count, 0) = 0 then 1 end as outcomes_solved_in_session,
        case when is_cancellation_request then 1 end as cancellation_requests,
        case when is_cancellation_saved then 1 end as cancellations_saved,
        case when sentiment_last is not null then 1 end as outcomes_with_mood,
        case when sentiment_last = -1 then 1 end as outcomes_negative,
        case when sentiment_first is not null and sentiment_last is not null then 1 end as outcomes_with_both_moods,
        case when sentiment_first is not null and sentiment_last is not null then sentiment_last - sentiment_first end as mood_shift
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            case when grouping(agent_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(conversations_closed), 0)::numeric as conversations_closed,
        coalesce(sum(sessions), 0)::numeric as sessions,
        coalesce(sum(session_seconds), 0)::numeric as session_seconds,
        coalesce(sum(outcomes_solved_internally), 0)::numeric as outcomes_solved_internally,
        coalesce(sum(outcomes_matured), 0)::numeric as outcomes_matured,
        coalesce(sum(outcomes_repeated), 0)::numeric as outcomes_repeated,
        coalesce(sum(outcomes_not_repeated), 0)::numeric as outcomes_not_repeated,
        coalesce(sum(outcomes_codable), 0)::numeric as outcomes_codable,
        coalesce(sum(outcomes_coded), 0)::numeric as outcomes_coded,
        coalesce(sum(outcomes_solved), 0)::numeric as outcomes_solved,
        coalesce(sum(outcomes_solved_in_session), 0)::numeric as outcomes_solved_in_session,
        coalesce(sum(cancellation_requests), 0)::numeric as cancellation_requests,
        coalesce(sum(cancellations_saved), 0)::numeric as cancellations_saved,
        coalesce(sum(outcomes_with_mood), 0)::numeric as outcomes_with_mood,
        coalesce(sum(outcomes_negative), 0)::numeric as outcomes_negative,
        coalesce(sum(outcomes_with_both_moods), 0)::numeric as outcomes_with_both_moods,
        coalesce(sum(mood_shift), 0)::numeric as mood_shift
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
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
    ('conversations_closed', false, pooled.conversations_closed),
    ('sessions', false, pooled.sessions),
    ('session_seconds', false, pooled.session_seconds),
    ('outcomes_solved_internally', false, pooled.outcomes_solved_internally),
    ('outcomes_matured', false, pooled.outcomes_matured),
    ('outcomes_repeated', false, pooled.outcomes_repeated),
    ('outcomes_not_repeated', false, pooled.outcomes_not_repeated),
    ('outcomes_codable', false, pooled.outcomes_codable),
    ('outcomes_coded', false, pooled.outcomes_coded),
    ('outcomes_solved', false, pooled.outcomes_solved),
    ('outcomes_solved_in_session', false, pooled.outcomes_solved_in_session),
    ('cancellation_requests', false, pooled.cancellation_requests),
    ('cancellations_saved', false, pooled.cancellations_saved),
    ('outcomes_with_mood', false, pooled.outcomes_with_mood),
    ('outcomes_negative', false, pooled.outcomes_negative),
    ('outcomes_with_both_moods', false, pooled.outcomes_with_both_moods),
    ('mood_shift', false, pooled.mood_shift)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}