{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'assist'), [
    'assist_id',
    'contact_source_id',
    'contact_id',
    'employee_number',
    'helper_number',
    'asked_at',
    'assist_kind'
]) }}
