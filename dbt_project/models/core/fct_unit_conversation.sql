with segments as (

    select * from {{ ref('fct_segment') }}
    where is_effective

),

units as (

    select
        units.agent_key,
        units.team_key,
        units.site_key,
        segments.conversation_key,
        segments.channel,
        segments.business_date,
        row_number() over (
            partition by units.agent_key, units.team_key, units.site_key, segments.conversation_key
            order by segments.segment_number desc
        ) as segment_rank
    from segments
    cross join lateral (
        values
        (segments.agent_key, null, null),
        (null, segments.team_key, null),
        (null, null, 'site')
    ) as units (agent_key, team_key, site_key)

)

select
    agent_key,
    team_key,
    site_key,
    conversation_key,
    channel,
    business_date
from units
where segment_rank = 1
