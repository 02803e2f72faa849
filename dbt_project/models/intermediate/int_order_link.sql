{{ config(indexes=[{'columns': ['order_key'], 'unique': true}]) }}

with orders as (

    select * from {{ ref('int_order') }}
    where paid_at is not null and customer_key is not null

),

enquiries as (

    select * from {{ ref('int_enquiry') }}
    where enquiry_kind = 'presale'

),

outcomes as (

    select * from {{ ref('fct_outcome') }}
    where customer_key is not null

),

-- Of two days on which the customer asked, the later one led to the payment.
asked as (

    select
        orders.order_key,
        orders.customer_key,
        orders.paid_at,
        enquiries.enquiry_date,
        enquiries.first_ended_at,
        row_number() over (partition by orders.order_key order by enquiries.enquiry_date desc) as enquiry_rank
    from orders
    inner join enquiries
        on
            orders.customer_key = enquiries.customer_key
            and orders.paid_at >= enquiries.first_ended_at
            and orders.paid_at < enquiries.window_end

),

credited as (

    select
        asked.order_key,
        asked.enquiry_date,
        outcomes.conversation_key,
        outcomes.agent_key,
        outcomes.team_key,
        row_number() over (
            partition by asked.order_key
            order by outcomes.ended_at desc, outcomes.conversation_key desc
        ) as outcome_rank
    from asked
    inner join outcomes
        on
            asked.customer_key = outcomes.customer_key
            and outcomes.ended_at between asked.first_ended_at and asked.paid_at
    where asked.enquiry_rank = 1

)

select
    orders.order_key,
    orders.customer_key,
    credited.enquiry_date,
    credited.conversation_key,
    credited.agent_key,
    credited.team_key,
    orders.paid_at,
    orders.amount_fen,
    orders.refunded_at,
    orders.refunded_fen,
    orders.is_new_business
from credited
inner join orders
    on credited.order_key = orders.order_key
where credited.outcome_rank = 1
