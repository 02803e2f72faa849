{{ moves(dates=['business_date']) }}

with complaints as (

    select * from {{ ref('int_complaint') }}

),

-- Whoever served the contact last stands for its team where the complaint names nobody.
outcomes as (

    select
        conversation_key,
        team_key
    from {{ ref('fct_outcome') }}

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        complaints.*,
        {{ local_date('complaints.received_at', 'site') }} as business_date
    from complaints
    cross join site

)

select
    dated.source_id || ':' || dated.complaint_id as complaint_key,
    dated.conversation_key,
    coalesce(sources.channel, 'none') as channel,
    dated.agent_key,
    case
        when dated.agent_key is not null then coalesce(teams.team_key, 'unassigned')
        else outcomes.team_key
    end as team_key,
    dated.customer_key,
    dated.category,
    dated.is_severe,
    dated.status,
    -- Only what was checked and holds counts; a withdrawn complaint never does.
    dated.status = 'upheld' as is_upheld,
    dated.verifier_key,
    dated.verified_on,
    dated.resolution_rating,
    dated.received_at,
    dated.business_date
from dated
left join sources
    on dated.contact_source_id = sources.source_id
left join outcomes
    on dated.conversation_key = outcomes.conversation_key
left join teams
    on
        dated.agent_key = teams.agent_key
        and dated.business_date between teams.valid_from and teams.valid_to
