{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'ticket'), [
    'ticket_id',
    'employee_number',
    'contact_source_id',
    'contact_id',
    'customer_phone_key as customer_key',
    'issue_class',
    'opened_at',
    'closed_at',
    'close_code',
    'dispatched_to',
    'redispatch_count'
]) }}
