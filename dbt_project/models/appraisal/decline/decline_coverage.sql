with series as (

    select *
    from {{ source('stats', 'decline_series') }}
    where calc_id = '{{ var("calc_id") }}'

)

select
    coalesce(team_key, 'unassigned')::text as team_key,
    metric_id::text as metric_id,
    count(*)::bigint as agent_count,
    (count(*) filter (where state = 'evaluated' and grain = 'day'))::bigint as by_day_count,
    (count(*) filter (where state = 'evaluated' and grain = 'week'))::bigint as by_week_count,
    (count(*) filter (where state = 'not_enough_data'))::bigint as not_enough_data_count,
    max(last_scored_on)::date as last_scored_on
from series
group by coalesce(team_key, 'unassigned'), metric_id
