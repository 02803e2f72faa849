{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'registration'), [
    'registration_id',
    'employee_number',
    'registered_at',
    'customer_phone_key as customer_key',
    'device_id',
    'is_verified'
]) }}
