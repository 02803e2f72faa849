with segments as (

    select * from {{ ref('fct_segment') }}

),

states as (

    select * from {{ ref('fct_agent_state') }}

),

attendance as (

    select * from {{ ref('fct_attendance') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

exempt as (

    select * from {{ ref('exempt_day') }}
    where metric_id = 'aht'

),

worked as (

    select
        team_key,
        agent_key,
        business_date,
        coalesce(talk_seconds, active_seconds) as active_seconds,
        null::bigint as attended_seconds
    from segments
    where is_effective

    union all

    select
        team_key,
        agent_key,
        business_date,
        capped_seconds as active_seconds,
        null as attended_seconds
    from states
    where state = 'acw'

    union all

    select
        team_key,
        agent_key,
        business_date,
        null as active_seconds,
        attended_seconds
    from attendance
    where is_counted

),

ranged as (

    select
        worked.team_key,
        worked.agent_key,
        span.period_kind,
        span.period_start,
        span.period_end,
        coalesce(sum(worked.active_seconds), 0) as active_seconds,
        coalesce(sum(worked.attended_seconds), 0) as attended_seconds
    from worked
    cross join period
    cross join
        lateral (
            values
            (
                'month',
                date_trunc('month', worked.business_date)::date,
                (date_trunc('month', worked.business_date) + interval '1 month' - interval '1 day')::date
            ),
            ('period', period.period_start, period.period_end)
        ) as span (period_kind, period_start, period_end)
    left join exempt
        on
            worked.business_date = exempt.business_date
            and (exempt.unit_kind = 'all' or (exempt.unit_kind = 'agent' and worked.agent_key = exempt.unit_key))
    where worked.business_date between span.period_start and span.period_end and exempt.metric_id is null
    group by worked.team_key, worked.agent_key, span.period_kind, span.period_start, span.period_end

),

loads as (

    select
        team_key,
        agent_key,
        period_kind,
        period_start,
        period_end,
        active_seconds,
        attended_seconds,
        active_seconds::numeric / attended_seconds as load_share
    from ranged
    where attended_seconds > 0

)

-- The standard deviation is that of all of them (population): the team is not a sample of something larger.
select
    team_key,
    period_kind,
    period_start,
    period_end,
    count(*) as agent_count,
    sum(active_seconds)::bigint as active_seconds,
    sum(attended_seconds)::bigint as attended_seconds,
    trim_scale(round(avg(load_share), 10)) as mean_load_share,
    trim_scale(round(min(load_share), 10)) as lowest_load_share,
    trim_scale(round(max(load_share), 10)) as highest_load_share,
    case
        when count(*) >= 3 and avg(load_share) > 0 then trim_scale(round(stddev_pop(load_share) / avg(load_share), 10))
    end as workload_balance_index,
    case
        when count(*) < 3 then 'below_min_n'
        when avg(load_share) = 0 then 'no_denominator'
    end as null_reason
from loads
group by team_key, period_kind, period_start, period_end
