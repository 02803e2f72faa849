{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'social_feedback'), [
    'feedback_id',
    'kind',
    'platform',
    'posted_at',
    'theme',
    'employee_number',
    'contact_source_id',
    'contact_id',
    'is_verified'
]) }}
