{{ moves('date', counts={'fct_queue_visit': 'business_date'}) }}

with visits as (

    select * from {{ ref('fct_queue_visit') }}

)

select
    queue_key,
    team_key,
    channel,
    interval_start_at,
    business_date,
    count(*)::bigint as offered_count,
    (count(*) filter (where outcome = 'answered'))::bigint as answered_count,
    (count(*) filter (where outcome = 'answered' and wait_seconds <= service_level_seconds))::bigint
        as answered_in_time_count,
    (count(*) filter (where is_service_level_due))::bigint as service_level_due_count,
    (count(*) filter (where is_service_level_met))::bigint as service_level_met_count,
    (count(*) filter (where outcome = 'abandoned' and not is_short_abandon))::bigint as abandoned_count,
    (count(*) filter (where is_short_abandon))::bigint as short_abandoned_count,
    (count(*) filter (where outcome = 'open'))::bigint as open_count,
    (count(*) filter (where outcome not in ('answered', 'abandoned', 'open')))::bigint as other_count,
    coalesce(sum(wait_seconds) filter (where outcome = 'answered'), 0)::bigint as answered_wait_seconds,
    coalesce(sum(wait_seconds) filter (where outcome = 'abandoned' and not is_short_abandon), 0)::bigint
        as abandoned_wait_seconds,
    (max(wait_seconds))::bigint as longest_wait_seconds
from visits
group by queue_key, team_key, channel, interval_start_at, business_date
