{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'training'), [
    'training_id',
    'employee_number',
    'course_name',
    'course_kind',
    'assigned_on',
    'due_on',
    'completed_on',
    'score'
]) }}
