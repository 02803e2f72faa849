{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'complaint'), [
    'complaint_id',
    'employee_number',
    'contact_source_id',
    'contact_id',
    'customer_phone_key as customer_key',
    'received_at',
    'category',
    'is_severe',
    'status',
    'verifier_number',
    'verified_on',
    'resolution_rating'
]) }}
