{{ config(materialized='view') }}

with marks as (

    select * from {{ ref('stg_tabular__qa_item') }}

)

select
    source_id,
    review_id,
    item as item_label,
    mark,
    most_marks
from marks
