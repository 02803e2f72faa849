{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'cost'), [
    'month',
    'team_key',
    'cost_kind',
    'amount'
]) }}
