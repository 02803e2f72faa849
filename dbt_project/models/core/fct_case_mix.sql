{{ moves(dates=['business_date']) }}

with segments as (

    select
        segment_key,
        conversation_key,
        channel,
        agent_key,
        team_key,
        issue_class,
        is_high_value,
        coalesce(talk_seconds, active_seconds) as handle_seconds,
        business_date
    from {{ ref('fct_segment') }}
    where is_effective and issue_class is not null

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

months as (

    select
        date_trunc('month', business_date)::date as month_start,
        (date_trunc('month', business_date) + interval '1 month' - interval '1 day')::date as month_end
    from segments
    group by date_trunc('month', business_date)

),

days as (

    select
        channel,
        issue_class,
        business_date,
        sum(handle_seconds) as handle_seconds,
        count(*) as segment_count
    from segments
    where handle_seconds is not null
    group by channel, issue_class, business_date

),

-- How long a class usually takes, and all of them together: the site's mean over 90 days up to the end of the month,
-- so that a month's mix is held against one standard and nobody's own speed decides what is usual.
standards as (

    select
        months.month_start,
        days.channel,
        days.issue_class,
        grouping(days.issue_class) = 1 as is_of_all,
        sum(days.handle_seconds)::numeric / sum(days.segment_count) as standard_seconds
    from months
    inner join days
        on months.month_end - 90 < days.business_date and months.month_end >= days.business_date
    group by grouping sets (
        (months.month_start, days.channel, days.issue_class),
        (months.month_start, days.channel)
    )

)

select
    segments.segment_key,
    segments.conversation_key,
    segments.channel,
    segments.agent_key,
    segments.team_key,
    segments.issue_class,
    segments.is_high_value,
    segments.handle_seconds,
    trim_scale(of_class.standard_seconds)::numeric as standard_seconds,
    trim_scale(of_all.standard_seconds)::numeric as overall_standard_seconds,
    of_class.standard_seconds >= parameters.complex_case_ratio * of_all.standard_seconds
    or segments.is_high_value as is_complex,
    segments.business_date
from segments
inner join parameters
    on segments.business_date between parameters.valid_from and parameters.valid_to
inner join standards as of_class
    on
        date_trunc('month', segments.business_date)::date = of_class.month_start
        and segments.channel = of_class.channel
        and segments.issue_class = of_class.issue_class
        and not of_class.is_of_all
inner join standards as of_all
    on
        date_trunc('month', segments.business_date)::date = of_all.month_start
        and segments.channel = of_all.channel
        and of_all.is_of_all
