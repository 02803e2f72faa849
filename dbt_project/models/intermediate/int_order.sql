{{ config(indexes=[{'columns': ['order_key'], 'unique': true}, {'columns': ['customer_key', 'paid_at']}]) }}
{{ moves(customer='customer_key', marks={'customer': 'customer_key'}) }}

with orders as (

    select
        *,
        -- Two shops may both hand over an order; it was paid once.
        row_number() over (partition by order_id order by paid_at asc nulls last, source_id asc) as order_rank
    from {{ ref('stg_tabular__order') }}
    where ordered_at <= '{{ var("as_of") }}'::timestamptz

),

dated as (

    select
        *,
        case when paid_at <= '{{ var("as_of") }}'::timestamptz then paid_at end as known_paid_at,
        -- A refund without a date is taken back on the day of the payment.
        case when refunded_amount > 0 then coalesce(refunded_at, paid_at) end as known_refunded_at
    from orders
    where order_rank = 1

)

select
    order_id as order_key,
    source_id,
    customer_key,
    ordered_at,
    known_paid_at as paid_at,
    round(amount * 100)::bigint as amount_fen,
    case when known_refunded_at <= '{{ var("as_of") }}'::timestamptz then known_refunded_at end as refunded_at,
    case when known_refunded_at <= '{{ var("as_of") }}'::timestamptz then round(refunded_amount * 100)::bigint end
        as refunded_fen,
    coalesce(is_new_business, false) as is_new_business,
    recommended_by as recommended_by_key
from dated
