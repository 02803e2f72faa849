{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'exemption'), [
    'exemption_id',
    'scope_kind',
    'scope_key',
    'metric_id',
    'starts_on',
    'ends_on',
    'reason',
    'approver_number',
    'approved_on'
]) }}
