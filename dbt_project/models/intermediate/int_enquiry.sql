{{ config(indexes=[{'columns': ['enquiry_kind', 'customer_key', 'enquiry_date'], 'unique': true}]) }}
{{ moves('customer', customer='customer_key') }}

with outcomes as (

    select * from {{ ref('fct_outcome') }}
    where customer_key is not null and ended_at <= '{{ var("as_of") }}'::timestamptz

),

-- An enquiry begins with the customer's question to people; what is paid from their first answer on is their work.
served as (

    select
        conversation_key,
        asked_at,
        min(served_at) as first_served_at
    from {{ ref('int_served_customer') }}
    group by conversation_key, asked_at

),

issue_classes as (

    select * from {{ ref('stg_cfg__issue_class') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter') }}
    where parameter_id in ('enquiry_window_days', 'after_sales_days')

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

asked as (

    select
        kinds.enquiry_kind,
        outcomes.customer_key,
        served.asked_at,
        served.first_served_at,
        {{ local_date('served.asked_at', 'site') }} as enquiry_date
    from outcomes
    inner join served
        on outcomes.conversation_key = served.conversation_key
    cross join site
    left join issue_classes
        on
            outcomes.issue_class = issue_classes.issue_class
            and {{ local_date('served.asked_at', 'site') }} between issue_classes.valid_from and issue_classes.valid_to
    cross join
        lateral (
            values
            ('presale', coalesce(issue_classes.is_presale, false)),
            ('new_business', outcomes.is_new_business)
        ) as kinds (enquiry_kind, is_asked)
    where kinds.is_asked

),

days as (

    select
        enquiry_kind,
        customer_key,
        enquiry_date,
        min(asked_at) as first_asked_at,
        min(first_served_at) as first_served_at,
        count(*) as conversation_count
    from asked
    group by enquiry_kind, customer_key, enquiry_date

),

ruled as (

    select
        days.enquiry_kind,
        days.customer_key,
        days.enquiry_date,
        days.first_asked_at,
        days.first_served_at,
        days.conversation_count,
        max(parameters.value) filter (where parameters.parameter_id = 'enquiry_window_days')::integer as window_days,
        max(parameters.value) filter (where parameters.parameter_id = 'after_sales_days')::integer as after_sales_days
    from days
    inner join parameters
        on days.enquiry_date between parameters.valid_from and parameters.valid_to
    group by
        days.enquiry_kind,
        days.customer_key,
        days.enquiry_date,
        days.first_asked_at,
        days.first_served_at,
        days.conversation_count

)

select
    ruled.enquiry_kind,
    ruled.customer_key,
    ruled.enquiry_date,
    ruled.first_asked_at,
    ruled.first_served_at,
    ruled.conversation_count,
    ruled.window_days,
    ruled.first_asked_at - make_interval(days => ruled.after_sales_days) as after_sales_from,
    {{ local_instant('(ruled.enquiry_date + 1 + ruled.window_days + site.day_cutover)', 'site') }} as window_end
from ruled
cross join site
