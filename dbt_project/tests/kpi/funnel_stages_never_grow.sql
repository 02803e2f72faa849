-- Whoever is in a stage of the funnel was in the one before it.
with stages as (

    select
        enquiry_kind,
        unit_kind,
        unit_key,
        business_date,
        stage,
        customer_count,
        lag(customer_count) over (
            partition by enquiry_kind, unit_kind, unit_key, business_date
            order by stage_number
        ) as count_before
    from {{ ref('enquiry_funnel') }}

)

select
    enquiry_kind,
    unit_kind,
    unit_key,
    business_date,
    stage,
    customer_count,
    count_before
from stages
where customer_count > count_before
