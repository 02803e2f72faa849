{{ config(materialized='view') }}

with site as (

    select * from {{ ref('stg_cfg__site') }}

),

records as (

    {{ windowed_records() }}

)

select
    source_id,
    entity,
    load_seq,
    is_change,
    event_at
from records
