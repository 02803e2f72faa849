with credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

conversations as (

    select * from {{ ref('fct_conversation') }}

),

segments as (

    select
        conversation_key,
        bool_or(is_transfer) as is_transferred
    from {{ ref('fct_segment') }}
    group by conversation_key

),

sources as (

    select
        source_id,
        cannot ? 'survey_invitation' as has_no_invitations
    from {{ ref('stg_cfg__source') }}

),

invitations as (

    select conversation_key
    from {{ ref('fct_survey_invitation') }}
    where is_invited

),

answers as (

    select distinct conversation_key
    from {{ ref('fct_rating') }}
    where instrument_kind = 'csat' and is_valid_for_score

),

visits as (

    select
        conversation_key,
        sum(wait_seconds) as wait_seconds
    from {{ ref('fct_queue_visit') }}
    group by conversation_key

),

outcomes as (

    select
        conversation_key,
        issue_class,
        not is_repeated as is_solved,
        sentiment_last < 0 as is_negative
    from {{ ref('fct_outcome') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

)

select
    agents.cohort_key,
    agents.plan_id,
    conversations.conversation_key,
    credits.agent_key,
    conversations.channel,
    -- Where a source does not record invitations every eligible conversation counts as invited: a lower bound.
    sources.has_no_invitations or invitations.conversation_key is not null as is_invited,
    answers.conversation_key is not null as is_answered,
    visits.wait_seconds,
    extract(epoch from conversations.ended_at - conversations.started_at)::bigint as duration_seconds,
    segments.is_transferred,
    outcomes.issue_class,
    outcomes.is_solved,
    outcomes.is_negative
from credits
inner join conversations
    on credits.conversation_key = conversations.conversation_key
inner join segments
    on credits.conversation_key = segments.conversation_key
inner join sources
    on conversations.source_id = sources.source_id
inner join agents
    on credits.agent_key = agents.agent_key
cross join period
left join invitations
    on credits.conversation_key = invitations.conversation_key
left join answers
    on credits.conversation_key = answers.conversation_key
left join visits
    on credits.conversation_key = visits.conversation_key
left join outcomes
    on credits.conversation_key = outcomes.conversation_key
where
    credits.business_date between period.period_start and period.period_end
    and not {{ is_exempt('csat_rate', 'credits.agent_key', 'credits.business_date') }}
