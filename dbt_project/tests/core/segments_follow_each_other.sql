-- A conversation has one owner at a time: its segments are numbered from 1 without a gap, only the last one can be
-- open, and each begins when or after the one before it ended.
with segments as (

    select
        segment_key,
        segment_number,
        assigned_at,
        row_number() over (partition by conversation_key order by segment_number) as place,
        lag(segment_key) over (partition by conversation_key order by segment_number) as previous_key,
        lag(ended_at) over (partition by conversation_key order by segment_number) as previous_ended_at
    from {{ ref('fct_segment') }}

)

select
    segment_key,
    segment_number,
    place,
    assigned_at,
    previous_ended_at
from segments
where
    segment_number <> place
    or (previous_key is not null and previous_ended_at is null)
    or previous_ended_at > assigned_at
