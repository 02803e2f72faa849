{{ moves(dates=['business_date']) }}

with items as (

    select * from {{ ref('int_feedback') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        items.*,
        {{ local_date('items.posted_at', 'site') }} as business_date
    from items
    cross join site

)

select
    dated.source_id || ':' || dated.feedback_id as feedback_key,
    dated.feedback_kind,
    dated.platform,
    dated.theme,
    dated.conversation_key,
    dated.agent_key,
    case when dated.agent_key is not null then coalesce(teams.team_key, 'unassigned') end as team_key,
    dated.is_verified,
    dated.posted_at,
    dated.business_date
from dated
left join teams
    on
        dated.agent_key = teams.agent_key
        and dated.business_date between teams.valid_from and teams.valid_to
