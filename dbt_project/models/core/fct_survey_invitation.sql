{{ moves('conversation', key=['conversation_key'], dates=['business_date']) }}

with invitations as (

    select
        source_id,
        invited_at,
        is_answered,
        source_id || ':' || conversation_id as conversation_key
    from {{ ref('int_survey_invitation') }}

),

outcomes as (

    select
        conversation_key,
        source_id
    from {{ ref('fct_outcome') }}

),

labels as (

    select conversation_key
    from {{ ref('int_contact_label') }}
    where label = 'survey_blocked'

),

-- A survey rule keeps these from being asked: groups, spam, tests, and whom a cap or another rule spares.
blocked as (

    select conversations.conversation_key
    from {{ ref('fct_conversation') }} as conversations
    left join labels
        on conversations.conversation_key = labels.conversation_key
    where
        conversations.is_group
        or conversations.is_spam
        or conversations.is_test
        or labels.conversation_key is not null

),

sources as (

    select
        source_id,
        channel,
        cannot ? 'survey_invitation' as has_no_invitations
    from {{ ref('stg_cfg__source') }}

),

credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

eligible as (

    select
        outcomes.conversation_key,
        outcomes.source_id
    from outcomes
    inner join sources
        on outcomes.source_id = sources.source_id
    left join blocked
        on outcomes.conversation_key = blocked.conversation_key
    where not sources.has_no_invitations and blocked.conversation_key is null

),

chances as (

    select
        coalesce(invitations.conversation_key, eligible.conversation_key) as conversation_key,
        coalesce(invitations.source_id, eligible.source_id) as source_id,
        eligible.conversation_key is not null as is_eligible,
        invitations.conversation_key is not null as is_invited,
        invitations.invited_at,
        coalesce(invitations.is_answered, false) as is_answered
    from invitations
    full join eligible
        on invitations.conversation_key = eligible.conversation_key

)

select
    chances.conversation_key as invitation_key,
    chances.conversation_key,
    sources.channel,
    credits.agent_key,
    coalesce(credits.team_key, 'unassigned') as team_key,
    chances.is_eligible,
    chances.is_invited,
    chances.invited_at,
    chances.is_answered,
    coalesce(credits.business_date, {{ local_date('chances.invited_at', 'site') }}) as business_date
from chances
inner join sources
    on chances.source_id = sources.source_id
cross join site
left join credits
    on chances.conversation_key = credits.conversation_key
