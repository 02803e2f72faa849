-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_customer_retention': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_customer_retention') }}

),

credited as (

    select
        rows.team_key as team_unit,
        rows.site_key as site_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_observed then 1 end as customers_observed,
        case when is_observed and paid_after_seconds <= parameters.retention_days * 86400 then 1 end as customers_retained
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

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
        coalesce(sum(customers_observed), 0)::numeric as customers_observed,
        coalesce(sum(customers_retained), 0)::numeric as customers_retained
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
    ('customers_observed', false, pooled.customers_observed),
    ('customers_retained', false, pooled.customers_retained)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}