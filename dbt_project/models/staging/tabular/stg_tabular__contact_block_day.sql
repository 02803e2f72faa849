{{ config(materialized='view') }}

{{ current_rows(source('raw_tabular', 'contact_block_day'), [
    'employee_number',
    'block_date',
    'blocks',
    'rejections'
]) }}
