-- A conversation with an effective segment counts once for the site, once for each team and once for each agent that
-- served it, and no other conversation counts at all.
with units as (

    select
        conversation_key,
        coalesce('agent ' || agent_key, 'team ' || team_key, site_key) as unit,
        count(*) as row_count
    from {{ ref('fct_unit_conversation') }}
    group by conversation_key, coalesce('agent ' || agent_key, 'team ' || team_key, site_key)

),

served as (

    select
        segments.conversation_key,
        unit.unit_name as unit
    from {{ ref('fct_segment') }} as segments
    inner join lateral (
        values
        ('agent ' || segments.agent_key),
        ('team ' || segments.team_key),
        ('site')
    ) as unit (unit_name) on true
    where segments.is_effective
    group by segments.conversation_key, unit.unit_name

)

select
    coalesce(units.conversation_key, served.conversation_key) as conversation_key,
    coalesce(units.unit, served.unit) as unit,
    units.row_count
from units
full join served
    on units.conversation_key = served.conversation_key and units.unit = served.unit
where units.row_count is distinct from 1 or served.unit is null
