-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_rostered_day': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_rostered_day') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.voice_channel as channel,
        rows.business_date as business_date,
        case when is_counted then parameters.monthly_call_baseline * month_share end as call_baseline
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
        end as unit_kind,
        coalesce(
            agent_unit
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(call_baseline), 0)::numeric as call_baseline
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date)
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
    ('call_baseline', false, pooled.call_baseline)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}