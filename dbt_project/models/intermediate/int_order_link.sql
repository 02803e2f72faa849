{{ config(indexes=[{'columns': ['order_key', 'agent_key'], 'unique': true}]) }}

with orders as (

    select * from {{ ref('int_order') }}
    where paid_at is not null and customer_key is not null

),

enquiries as (

    select * from {{ ref('int_enquiry') }}
    where enquiry_kind = 'presale'

),

customers as (

    select * from {{ ref('int_served_customer') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- Of two days on which the customer asked, the later one led to the payment.
asked as (

    select
        orders.order_key,
        orders.customer_key,
        orders.paid_at,
        enquiries.enquiry_date,
        enquiries.first_served_at,
        row_number() over (partition by orders.order_key order by enquiries.enquiry_date desc) as enquiry_rank
    from orders
    inner join enquiries
        on
            orders.customer_key = enquiries.customer_key
            and orders.paid_at >= enquiries.first_served_at
            and orders.paid_at < enquiries.window_end

),

served as (

    select
        asked.order_key,
        asked.enquiry_date,
        customers.conversation_key,
        customers.agent_key,
        customers.team_key,
        coalesce(parameters.order_credit, 'last_human') as order_credit,
        row_number() over (
            partition by asked.order_key
            order by customers.served_at desc, customers.conversation_key desc, customers.segment_number desc
        ) as last_rank,
        row_number() over (
            partition by asked.order_key
            order by customers.served_at, customers.conversation_key, customers.segment_number
        ) as first_rank,
        row_number() over (
            partition by asked.order_key, customers.agent_key
            order by customers.served_at desc, customers.conversation_key desc, customers.segment_number desc
        ) as agent_rank
    from asked
    cross join site
    inner join parameters
        on {{ local_date('asked.paid_at', 'site') }} between parameters.valid_from and parameters.valid_to
    inner join customers
        on
            asked.customer_key = customers.customer_key
            and customers.served_at between asked.first_served_at and asked.paid_at
    where asked.enquiry_rank = 1

),

credited as (

    select
        *,
        count(*) over (partition by order_key) as agent_count,
        row_number() over (partition by order_key order by last_rank) as place
    from served
    where
        (order_credit = 'last_human' and last_rank = 1)
        or (order_credit = 'first' and first_rank = 1)
        or (order_credit = 'shared' and agent_rank = 1)

)

-- What does not divide goes to the last person, so that the parts of an order add up to it.
select
    orders.order_key,
    orders.customer_key,
    credited.enquiry_date,
    credited.conversation_key,
    credited.agent_key,
    credited.team_key,
    trim_scale({{ equal_part('1::numeric', 'credited') }}) as order_share,
    orders.paid_at,
    {{ equal_part('orders.amount_fen', 'credited') }} as amount_fen,
    orders.refunded_at,
    {{ equal_part('orders.refunded_fen', 'credited') }} as refunded_fen,
    orders.is_new_business
from credited
inner join orders
    on credited.order_key = orders.order_key
