-- Each visit of a queue lies in exactly one part: open, left at once, answered, abandoned, or ended otherwise.
with visits as (

    select
        queue_key,
        channel,
        business_date,
        count(*) as visits,
        count(*) filter (where outcome = 'open') as open_visits,
        count(*) filter (where is_short_abandon) as short_abandons,
        count(*) filter (
            where outcome in ('timed_out', 'left_empty', 'exit_key', 'withdrawn', 'failed', 'unserved')
        ) as ended_otherwise
    from {{ ref('fct_queue_visit') }}
    group by queue_key, channel, business_date

),

measured as (

    {{ queue_day_measures() }}

)

select
    visits.queue_key,
    visits.channel,
    visits.business_date,
    visits.visits,
    measured.offered,
    measured.answered,
    measured.abandoned
from visits
left join measured
    on
        visits.queue_key = measured.queue_key
        and visits.channel = measured.channel
        and visits.business_date = measured.business_date
where
    measured.offered is null
    or visits.visits <> measured.offered + visits.open_visits + visits.short_abandons
    or measured.offered <> measured.answered + measured.abandoned + visits.ended_otherwise
    or measured.answered_or_abandoned not between measured.answered and measured.answered + measured.abandoned
