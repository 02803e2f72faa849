{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'contact_label'), [
    'contact_source_id',
    'contact_id',
    'label',
    'value',
    'labelled_by',
    'labelled_at'
]) }}
