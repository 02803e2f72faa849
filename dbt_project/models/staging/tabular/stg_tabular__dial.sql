{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'dial'), [
    'dial_id',
    'employee_number',
    'dialed_at',
    'customer_phone_key as customer_key',
    'lead_id',
    'result',
    'ring_seconds',
    'talk_seconds'
]) }}
