-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_work_order_audit': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_work_order_audit') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_valid_for_score then 1 end as audits_of_entry,
        case when is_valid_for_score and is_entry_compliant then 1 end as audits_of_entry_right,
        case when is_valid_for_score and is_dispatch_correct is not null then 1 end as audits_of_dispatch,
        case when is_valid_for_score and is_dispatch_correct then 1 end as audits_of_dispatch_right,
        case when is_valid_for_score and is_customer_correct is not null then 1 end as audits_of_customer,
        case when is_valid_for_score and is_customer_correct then 1 end as audits_of_customer_right
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
        coalesce(sum(audits_of_entry), 0)::numeric as audits_of_entry,
        coalesce(sum(audits_of_entry_right), 0)::numeric as audits_of_entry_right,
        coalesce(sum(audits_of_dispatch), 0)::numeric as audits_of_dispatch,
        coalesce(sum(audits_of_dispatch_right), 0)::numeric as audits_of_dispatch_right,
        coalesce(sum(audits_of_customer), 0)::numeric as audits_of_customer,
        coalesce(sum(audits_of_customer_right), 0)::numeric as audits_of_customer_right
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
    ('audits_of_entry', false, pooled.audits_of_entry),
    ('audits_of_entry_right', false, pooled.audits_of_entry_right),
    ('audits_of_dispatch', false, pooled.audits_of_dispatch),
    ('audits_of_dispatch_right', false, pooled.audits_of_dispatch_right),
    ('audits_of_customer', false, pooled.audits_of_customer),
    ('audits_of_customer_right', false, pooled.audits_of_customer_right)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}