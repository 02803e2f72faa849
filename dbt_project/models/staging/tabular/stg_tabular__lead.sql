{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'lead'), [
    'lead_id',
    'employee_number',
    'campaign',
    'customer_phone_key as customer_key',
    'assigned_on',
    'status',
    'closed_on'
]) }}
