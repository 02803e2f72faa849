-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_enquiry': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_enquiry') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when enquiry_kind = 'presale' and not is_after_sales and is_matured then credit_share end as enquiries,
        case when enquiry_kind = 'presale' and is_converted and not is_refunded and is_matured then credit_share end as enquiries_converted,
        case when enquiry_kind = 'new_business' and not is_after_sales and is_matured then credit_share end as new_business_enquiries,
        case when enquiry_kind = 'new_business' and is_converted and not is_refunded and is_matured then credit_share end as new_business_enquiries_converted
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
        coalesce(sum(enquiries), 0)::numeric as enquiries,
        coalesce(sum(enquiries_converted), 0)::numeric as enquiries_converted,
        coalesce(sum(new_business_enquiries), 0)::numeric as new_business_enquiries,
        coalesce(sum(new_business_enquiries_converted), 0)::numeric as new_business_enquiries_converted
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
    ('enquiries', false, pooled.enquiries),
    ('enquiries_converted', false, pooled.enquiries_converted),
    ('new_business_enquiries', false, pooled.new_business_enquiries),
    ('new_business_enquiries_converted', false, pooled.new_business_enquiries_converted)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}