{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'dispute'), [
    'employee_number',
    'period_id',
    'object_kind',
    'object_key',
    'claim',
    'reason',
    'filed_on',
    'filed_by'
]) }}
