{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'manager_comment'), [
    'comment_id',
    'employee_number',
    'manager_number',
    'about_on',
    'metric_id',
    'comment'
]) }}
