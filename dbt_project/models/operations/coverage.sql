with conversations as (

    select * from {{ ref('fct_conversation') }}
    where business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

segments as (

    select * from {{ ref('fct_segment') }}
    where is_effective and business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

outcomes as (

    select * from {{ ref('fct_outcome') }}
    where business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

ratings as (

    select * from {{ ref('fct_rating') }}
    where business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date

),

shifts as (

    select
        agent_key,
        shift_date
    from {{ ref('int_shift') }}
    group by agent_key, shift_date

),

counted as (

    select
        source_id,
        'customer_known' as coverage_id,
        count(*) as total_count,
        count(*) filter (where customer_key is not null) as known_count
    from conversations
    group by source_id

    union all

    select
        source_id,
        'queue_known' as coverage_id,
        count(*) as total_count,
        count(*) filter (where queue_key is not null) as known_count
    from conversations
    group by source_id

    union all

    select
        segments.source_id,
        mapped.coverage_id,
        count(*) as total_count,
        count(*) filter (where mapped.is_known) as known_count
    from segments
    left join shifts
        on segments.agent_key = shifts.agent_key and segments.business_date = shifts.shift_date
    cross join
        lateral (
            values
            ('agent_known', segments.agent_key not like 'unmapped:%'),
            ('team_known', segments.team_key <> 'unassigned'),
            ('shift_known', shifts.agent_key is not null)
        ) as mapped (coverage_id, is_known)
    group by segments.source_id, mapped.coverage_id

    union all

    select
        source_id,
        'issue_class_known' as coverage_id,
        count(*) as total_count,
        count(*) filter (where issue_class is not null) as known_count
    from outcomes
    group by source_id

    union all

    -- V9: nobody handled the conversation, so nobody is credited.
    select
        split_part(rating_key, ':', 1) as source_id,
        'rating_credited' as coverage_id,
        count(*) as total_count,
        count(*) filter (where coalesce(exclusion_rule <> 'V9', true)) as known_count
    from ratings
    group by split_part(rating_key, ':', 1)

)

select
    source_id::text as source_id,
    coverage_id::text as coverage_id,
    known_count::bigint as known_count,
    total_count::bigint as total_count,
    trim_scale(round(known_count::numeric / total_count, 6))::numeric as known_share
from counted
