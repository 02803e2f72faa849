{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'verified_fact'), [
    'fact_id',
    'employee_number',
    'fact_kind',
    'happened_on',
    'points',
    'metric_id',
    'reported_by',
    'evidence_id',
    'verified_by',
    'verified_on',
    'note_text'
]) }}
