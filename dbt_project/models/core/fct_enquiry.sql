{{ config(indexes=[{'columns': ['enquiry_kind', 'customer_key', 'business_date', 'agent_key'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with enquiries as (

    select * from {{ ref('int_enquiry') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

orders as (

    select * from {{ ref('int_order') }}
    where paid_at is not null and customer_key is not null

),

customers as (

    select
        customers.*,
        {{ local_date('customers.asked_at', 'site') }} as asked_date
    from {{ ref('int_served_customer') }} as customers
    cross join {{ ref('stg_cfg__site') }} as site

),

-- Questions about new business lead to orders of new business; other orders say nothing about them.
bought as (

    select
        enquiries.enquiry_kind,
        enquiries.customer_key,
        enquiries.enquiry_date,
        bool_or(orders.paid_at < enquiries.first_served_at) as has_order_before,
        min(orders.paid_at) filter (where orders.paid_at >= enquiries.first_served_at) as paid_at,
        (
            array_agg(orders.order_key order by orders.paid_at, orders.order_key)
            filter (where orders.paid_at >= enquiries.first_served_at)
        )[1] as order_key,
        bool_and(coalesce(orders.refunded_fen >= orders.amount_fen, false))
        filter (where orders.paid_at >= enquiries.first_served_at) as is_refunded
    from enquiries
    inner join orders
        on
            enquiries.customer_key = orders.customer_key
            and enquiries.after_sales_from <= orders.paid_at
            and enquiries.window_end > orders.paid_at
            and (enquiries.enquiry_kind = 'presale' or orders.is_new_business)
    group by enquiries.enquiry_kind, enquiries.customer_key, enquiries.enquiry_date

),

judged as (

    select
        enquiries.enquiry_kind,
        enquiries.customer_key,
        enquiries.enquiry_date,
        enquiries.first_asked_at,
        enquiries.first_served_at,
        enquiries.conversation_count,
        enquiries.window_days,
        enquiries.window_end,
        bought.order_key,
        bought.paid_at,
        bought.paid_at is not null as is_converted,
        coalesce(bought.has_order_before, false) and bought.paid_at is null as is_after_sales,
        coalesce(bought.is_refunded, false) as is_refunded,
        enquiries.window_end <= '{{ var("as_of") }}'::timestamptz as is_matured
    from enquiries
    left join bought
        on
            enquiries.enquiry_kind = bought.enquiry_kind
            and enquiries.customer_key = bought.customer_key
            and enquiries.enquiry_date = bought.enquiry_date

),

served as (

    select
        judged.enquiry_kind,
        judged.customer_key,
        judged.enquiry_date,
        customers.conversation_key,
        customers.agent_key,
        customers.team_key,
        coalesce(parameters.order_credit, 'last_human') as order_credit,
        row_number() over (
            partition by judged.enquiry_kind, judged.customer_key, judged.enquiry_date
            order by customers.served_at desc, customers.conversation_key desc, customers.segment_number desc
        ) as last_rank,
        row_number() over (
            partition by judged.enquiry_kind, judged.customer_key, judged.enquiry_date
            order by customers.served_at, customers.conversation_key, customers.segment_number
        ) as first_rank,
        row_number() over (
            partition by judged.enquiry_kind, judged.customer_key, judged.enquiry_date, customers.agent_key
            order by customers.served_at desc, customers.conversation_key desc, customers.segment_number desc
        ) as agent_rank
    from judged
    inner join parameters
        on judged.enquiry_date between parameters.valid_from and parameters.valid_to
    inner join customers
        on
            judged.customer_key = customers.customer_key
            and case
                when judged.is_converted then customers.served_at between judged.first_served_at and judged.paid_at
                else judged.enquiry_date = customers.asked_date
            end

),

credited as (

    select
        *,
        count(*) over (partition by enquiry_kind, customer_key, enquiry_date) as agent_count,
        row_number() over (partition by enquiry_kind, customer_key, enquiry_date order by last_rank) as place
    from served
    where
        (order_credit = 'last_human' and last_rank = 1)
        or (order_credit = 'first' and first_rank = 1)
        or (order_credit = 'shared' and agent_rank = 1)

)

select
    judged.enquiry_kind,
    judged.customer_key,
    credited.conversation_key,
    credited.agent_key,
    credited.team_key,
    trim_scale({{ equal_part('1::numeric', 'credited') }}) as credit_share,
    judged.first_asked_at,
    judged.conversation_count,
    judged.window_end,
    judged.is_after_sales,
    judged.is_matured,
    judged.is_converted,
    judged.is_refunded,
    judged.order_key,
    judged.paid_at,
    judged.enquiry_date as business_date
from judged
inner join credited
    on
        judged.enquiry_kind = credited.enquiry_kind
        and judged.customer_key = credited.customer_key
        and judged.enquiry_date = credited.enquiry_date
