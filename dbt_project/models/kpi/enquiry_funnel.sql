{{ config(indexes=[
    {'columns': ['enquiry_kind', 'unit_kind', 'unit_key', 'business_date', 'stage'], 'unique': true}
]) }}

with enquiries as (

    select * from {{ ref('fct_enquiry') }}

),

staged as (

    select
        enquiry_kind,
        agent_key,
        team_key,
        business_date,
        credit_share,
        not is_after_sales as is_enquiry,
        not is_after_sales and is_matured as is_matured,
        is_converted and is_matured as is_converted,
        is_converted and is_matured and not is_refunded as is_kept
    from enquiries

),

pooled as (

    select
        enquiry_kind,
        case
            when grouping(agent_key) = 0 then 'agent'
            when grouping(team_key) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_key, team_key, case when grouping(agent_key) = 1 and grouping(team_key) = 1 then 'site' end
        ) as unit_key,
        business_date,
        coalesce(sum(credit_share), 0) as asked_count,
        coalesce(sum(credit_share) filter (where is_enquiry), 0) as enquiry_count,
        coalesce(sum(credit_share) filter (where is_matured), 0) as matured_count,
        coalesce(sum(credit_share) filter (where is_converted), 0) as converted_count,
        coalesce(sum(credit_share) filter (where is_kept), 0) as kept_count
    from staged
    group by grouping sets (
        (enquiry_kind, agent_key, business_date),
        (enquiry_kind, team_key, business_date),
        (enquiry_kind, business_date)
    )

)

select
    pooled.enquiry_kind,
    pooled.unit_kind,
    pooled.unit_key,
    pooled.business_date,
    step.stage_number,
    step.stage,
    step.customer_count
from pooled
cross join lateral (
    values
    (1, 'asked', pooled.asked_count),
    (2, 'enquiry', pooled.enquiry_count),
    (3, 'matured', pooled.matured_count),
    (4, 'converted', pooled.converted_count),
    (5, 'kept', pooled.kept_count)
) as step (stage_number, stage, customer_count)
