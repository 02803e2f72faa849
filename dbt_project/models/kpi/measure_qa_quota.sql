-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_rostered_day': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_rostered_day') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_counted then parameters.qa_reviews_per_month * month_share end as qa_reviews_due,
        case when is_counted then 1 end as qa_quota_days
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
        coalesce(sum(qa_reviews_due), 0)::numeric as qa_reviews_due,
        coalesce(sum(qa_quota_days), 0)::numeric as qa_quota_days
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
    ('qa_reviews_due', false, pooled.qa_reviews_due),
    ('qa_quota_days', false, pooled.qa_quota_days)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}