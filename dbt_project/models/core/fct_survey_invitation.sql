with invitations as (

    select * from {{ ref('int_survey_invitation') }}

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

)

select
    invitations.source_id || ':' || invitations.conversation_id as invitation_key,
    invitations.source_id || ':' || invitations.conversation_id as conversation_key,
    sources.channel,
    credits.agent_key,
    coalesce(credits.team_key, 'unassigned') as team_key,
    invitations.invited_at,
    invitations.is_answered,
    coalesce(credits.business_date, {{ local_date('invitations.invited_at', 'site') }}) as business_date
from invitations
inner join sources
    on invitations.source_id = sources.source_id
cross join site
left join credits
    on invitations.source_id || ':' || invitations.conversation_id = credits.conversation_key
