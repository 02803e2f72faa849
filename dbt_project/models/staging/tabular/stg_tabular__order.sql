{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'order'), [
    'order_id',
    'customer_phone_key as customer_key',
    'ordered_at',
    'paid_at',
    'amount',
    'refunded_amount',
    'refunded_at',
    'is_new_business',
    'recommended_by'
]) }}
