-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_case_mix': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_case_mix') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when true then 1 end as case_mix_segments,
        case when is_complex then 1 end as case_mix_complex,
        case when true then standard_seconds end as case_mix_standard_seconds,
        case when true then overall_standard_seconds end as case_mix_overall_seconds
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
        coalesce(sum(case_mix_segments), 0)::numeric as case_mix_segments,
        coalesce(sum(case_mix_complex), 0)::numeric as case_mix_complex,
        coalesce(sum(case_mix_standard_seconds), 0)::numeric as case_mix_standard_seconds,
        coalesce(sum(case_mix_overall_seconds), 0)::numeric as case_mix_overall_seconds
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
    ('case_mix_segments', false, pooled.case_mix_segments),
    ('case_mix_complex', false, pooled.case_mix_complex),
    ('case_mix_standard_seconds', false, pooled.case_mix_standard_seconds),
    ('case_mix_overall_seconds', false, pooled.case_mix_overall_seconds)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}