{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'coaching'), [
    'coaching_id',
    'employee_number',
    'coach_number',
    'coached_on',
    'metric_id',
    'cause',
    'measure',
    'follow_up_on'
]) }}
