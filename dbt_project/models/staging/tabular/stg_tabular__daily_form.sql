{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'daily_form'), [
    'form_id',
    'form_kind',
    'employee_number',
    'rater_number',
    'form_date',
    'teamwork_score',
    'initiative_score',
    'attendance_score',
    'approver_number',
    'approved_on'
]) }}
