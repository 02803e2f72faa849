{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'callback_task'), [
    'callback_id',
    'contact_source_id',
    'contact_id',
    'employee_number',
    'created_at',
    'due_at',
    'done_at'
]) }}
