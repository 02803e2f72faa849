{{ config(indexes=[{'columns': ['unit_key', 'group_id', 'business_date'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with days as (

    select * from {{ ref('int_group_chat_day') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

-- A group and day counts once, however many sheets say so.
merged as (

    select
        group_id,
        agent_key,
        chat_date,
        max(messages_sent) as messages_sent,
        max(broadcasts_sent) as broadcasts_sent
    from days
    group by group_id, agent_key, chat_date

),

units as (

    select
        units.unit_kind || ':' || units.unit_name as unit_key,
        units.agent_key,
        units.team_key,
        units.site_key,
        merged.group_id,
        merged.messages_sent,
        merged.broadcasts_sent,
        merged.chat_date
    from merged
    left join teams
        on
            merged.agent_key = teams.agent_key
            and merged.chat_date between teams.valid_from and teams.valid_to
    cross join lateral (
        values
        ('agent', merged.agent_key, merged.agent_key, null, null),
        (
            'team',
            coalesce(teams.team_key, 'unassigned'),
            null,
            coalesce(teams.team_key, 'unassigned'),
            null
        ),
        ('site', 'site', null, null, 'site')
    ) as units (unit_kind, unit_name, agent_key, team_key, site_key)

)

-- Colleagues in one group take part in it once for their team and the site.
select
    unit_key,
    agent_key,
    team_key,
    site_key,
    group_id,
    sum(messages_sent)::bigint as messages_sent,
    sum(broadcasts_sent)::bigint as broadcasts_sent,
    sum(messages_sent) >= 1 as is_participation,
    chat_date as business_date
from units
group by unit_key, agent_key, team_key, site_key, group_id, chat_date
