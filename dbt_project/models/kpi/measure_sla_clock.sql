-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_sla': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_sla') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when outcome in ('met', 'breached') then 1 end as sla_due,
        case when outcome = 'met' then 1 end as sla_met,
        case when outcome = 'breached' and clock = 'first_reply' then 1 end as sla_first_replies_breached
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
        coalesce(sum(sla_due), 0)::numeric as sla_due,
        coalesce(sum(sla_met), 0)::numeric as sla_met,
        coalesce(sum(sla_first_replies_breached), 0)::numeric as sla_first_replies_breached
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
    ('sla_due', false, pooled.sla_due),
    ('sla_met', false, pooled.sla_met),
    ('sla_first_replies_breached', false, pooled.sla_first_replies_breached)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}