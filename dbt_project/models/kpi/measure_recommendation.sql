-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_rating': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_rating') }}

),

credited as (

    select
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_valid_for_score and instrument_kind = 'nps' then 1 end as recommendations,
        case when is_valid_for_score and instrument_kind = 'nps' then case when rating_points >= 9 then 1 when rating_points <= 6 then -1 end end as recommendation_balance
    from rows

),

pooled as (

    select
        case
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            team_unit,
            case when grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(recommendations), 0)::numeric as recommendations,
        coalesce(sum(recommendation_balance), 0)::numeric as recommendation_balance
    from credited
    group by grouping sets (
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
    ('recommendations', false, pooled.recommendations),
    ('recommendation_balance', false, pooled.recommendation_balance)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}