-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_ring': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_ring') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when (is_answered or ring_seconds >= parameters.ring_cycle_seconds * parameters.rings_allowed) then 1 end as rings,
        case when is_missed_call and parameters.acw_denominator = 'all' then 1 end as calls_rung_unanswered,
        case when is_answered then 1 end as rings_answered,
        case when is_answered and ring_seconds <= parameters.ring_cycle_seconds * parameters.rings_allowed then 1 end as rings_answered_in_time
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

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
        coalesce(sum(rings), 0)::numeric as rings,
        coalesce(sum(calls_rung_unanswered), 0)::numeric as calls_rung_unanswered,
        coalesce(sum(rings_answered), 0)::numeric as rings_answered,
        coalesce(sum(rings_answered_in_time), 0)::numeric as rings_answered_in_time
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
    ('rings', false, pooled.rings),
    ('calls_rung_unanswered', false, pooled.calls_rung_unanswered),
    ('rings_answered', false, pooled.rings_answered),
    ('rings_answered_in_time', false, pooled.rings_answered_in_time)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}