-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_feedback': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_feedback') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when true then 1 end as feedback_items,
        case when feedback_kind = 'criticism' then 1 end as feedback_items_negative,
        case when feedback_kind = 'praise' and is_verified and agent_key is not null then 1 end as praises
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
        coalesce(sum(feedback_items), 0)::numeric as feedback_items,
        coalesce(sum(feedback_items_negative), 0)::numeric as feedback_items_negative,
        coalesce(sum(praises), 0)::numeric as praises
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
    ('feedback_items', false, pooled.feedback_items),
    ('feedback_items_negative', false, pooled.feedback_items_negative),
    ('praises', false, pooled.praises)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}