{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'qa_item'), [
    'review_id',
    'item',
    'mark',
    'most_marks'
]) }}
