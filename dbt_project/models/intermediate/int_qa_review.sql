with reviews as (

    select * from {{ ref('stg_tabular__qa_review') }}

)

select
    source_id,
    review_id,
    employee_number as agent_key,
    reviewer_number as reviewer_key,
    contact_source_id || ':' || contact_id as conversation_key,
    contact_at,
    reviewed_at,
    form_version,
    score,
    coalesce(is_fatal, false) as is_fatal,
    coalesce(is_blind, false) as is_blind,
    playback_seconds,
    recording_seconds
from reviews
