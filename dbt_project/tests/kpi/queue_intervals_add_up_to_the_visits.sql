-- The parts of a half hour are all visits that entered in it, and the half hours of a day are what the metrics count.
with intervals as (

    select
        queue_key,
        channel,
        business_date,
        sum(offered_count) as offered_count,
        sum(open_count + short_abandoned_count) as uncounted,
        sum(answered_count) as answered_count,
        sum(answered_in_time_count) as answered_in_time_count,
        sum(abandoned_count) as abandoned_count,
        sum(other_count) as other_count
    from {{ ref('queue_interval') }}
    group by queue_key, channel, business_date

),

measured as (

    {{ queue_day_measures() }}

)

select
    intervals.queue_key,
    intervals.channel,
    intervals.business_date
from intervals
left join measured
    on
        intervals.queue_key = measured.queue_key
        and intervals.channel = measured.channel
        and intervals.business_date = measured.business_date
where
    measured.offered is null
    or intervals.offered_count <> intervals.uncounted
    + intervals.answered_count + intervals.abandoned_count + intervals.other_count
    or intervals.offered_count - intervals.uncounted <> measured.offered
    or intervals.answered_count <> measured.answered
    or intervals.abandoned_count <> measured.abandoned
    or intervals.answered_in_time_count > intervals.answered_count
