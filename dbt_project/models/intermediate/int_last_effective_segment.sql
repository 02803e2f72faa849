{{ moves('conversation', key=['conversation_key']) }}

select
    conversation_key,
    channel,
    agent_key,
    team_key,
    ended_at,
    business_date
from (
    select
        *,
        row_number() over (partition by conversation_key order by segment_number desc) as segment_rank
    from {{ ref('fct_segment') }}
    where is_effective
) as segments
where segment_rank = 1
