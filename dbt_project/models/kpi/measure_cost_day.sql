-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_cost_day': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_cost_day') }}

),

credited as (

    select
        rows.team_key as team_unit,
        rows.site_key as site_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when true then cost_fen end as cost_fen,
        case when true then conversation_count end as conversations_costed
    from rows

),

pooled as (

    select
        case
            when grouping(team_unit) = 0 then 'team'
            when grouping(site_unit) = 0 then 'site'
        end as unit_kind,
        coalesce(
            team_unit,
            site_unit
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(cost_fen), 0)::numeric as cost_fen,
        coalesce(sum(conversations_costed), 0)::numeric as conversations_costed
    from credited
    group by grouping sets (
        (team_unit, channel, business_date),
        (site_unit, channel, business_date)
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
    ('cost_fen', false, pooled.cost_fen),
    ('conversations_costed', false, pooled.conversations_costed)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}