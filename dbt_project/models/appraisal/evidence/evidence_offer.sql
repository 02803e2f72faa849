{{ config(indexes=[{'columns': ['agent_key', 'channel', 'factor'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

defaults as (

    select make_interval(days => (body #>> '{integrity, after_days}')::integer) as returned_within
    from ({{ current_config('defaults') }}) as current_defaults

),

manual_sources as (

    select jsonb_array_elements_text(body #> '{integrity, manual_invitation_sources}') as source_id
    from ({{ current_config('defaults') }}) as current_defaults

),

agents as (

    select
        agent_key,
        min(cohort_key) as cohort_key
    from {{ ref('int_plan_agent') }}
    group by agent_key

),

-- Only where invitations are recorded can anybody see who was left out.
recording as (

    select source_id
    from {{ ref('stg_cfg__source') }}
    where not cannot ? 'survey_invitation'

),

invitations as (

    select conversation_key
    from {{ ref('fct_survey_invitation') }}
    where is_invited
    group by conversation_key

),

-- Whoever passes a conversation on brings it to no end and has nobody to invite.
passed_on as (

    select conversation_key
    from {{ ref('fct_segment') }}
    where is_effective
    group by conversation_key
    having (array_agg(is_transfer order by segment_number desc))[1]

),

waits as (

    select
        conversation_key,
        bool_or(wait_seconds > service_level_seconds) as is_long
    from {{ ref('fct_queue_visit') }}
    group by conversation_key

),

offers as (

    select
        outcomes.agent_key,
        outcomes.channel,
        outcomes.source_id,
        invitations.conversation_key is not null as is_invited,
        -- Solved is what was not coded otherwise and did not come back; before the days are over nobody knows.
        case
            when outcomes.ticket_close_code = 'unsolved' then false
            when outcomes.is_repeat_matured
                then not {{ came_back('outcomes', 'defaults.returned_within') }}
        end as is_solved,
        outcomes.sentiment_last >= 0 as is_in_good_temper,
        not waits.is_long as is_soon_served
    from {{ ref('fct_outcome') }} as outcomes
    cross join period
    cross join defaults
    inner join recording
        on outcomes.source_id = recording.source_id
    left join invitations
        on outcomes.conversation_key = invitations.conversation_key
    left join waits
        on outcomes.conversation_key = waits.conversation_key
    left join passed_on
        on outcomes.conversation_key = passed_on.conversation_key
    where
        outcomes.business_date between period.period_start and period.period_end
        and passed_on.conversation_key is null

),

factored as (

    select
        offers.agent_key,
        offers.channel,
        offers.source_id,
        offers.is_invited,
        factors.factor,
        factors.is_favourable
    from offers
    cross join
        lateral (
            values
            ('solved', offers.is_solved),
            ('sentiment', offers.is_in_good_temper),
            ('wait', offers.is_soon_served)
        ) as factors (factor, is_favourable)

)

select
    agents.cohort_key,
    agents.agent_key,
    factored.channel,
    factored.factor,
    count(*) filter (where factored.is_favourable) as favourable_count,
    count(*) filter (where factored.is_favourable and factored.is_invited) as favourable_invited_count,
    count(*) filter (where not factored.is_favourable) as unfavourable_count,
    count(*) filter (where not factored.is_favourable and factored.is_invited) as unfavourable_invited_count,
    count(*) filter (where manual_sources.source_id is not null) as manual_count,
    count(*) filter (where manual_sources.source_id is not null and factored.is_invited) as manual_invited_count
from agents
inner join factored
    on agents.agent_key = factored.agent_key
left join manual_sources
    on factored.source_id = manual_sources.source_id
group by agents.cohort_key, agents.agent_key, factored.channel, factored.factor
