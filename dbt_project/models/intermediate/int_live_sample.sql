{{ config(materialized='view') }}

with samples as (

    select * from {{ ref('stg_tabular__live_sample') }}

)

select
    source_id,
    queue_source_id,
    queue_account,
    sampled_at,
    agents_online,
    agents_available,
    contacts_waiting,
    longest_wait_seconds,
    contacts_in_progress
from samples
