with segments as (

    select * from {{ ref('fct_segment') }}

),

states as (

    select * from {{ ref('fct_agent_state') }}

),

outcomes as (

    select * from {{ ref('fct_outcome') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

exempt as (

    select
        case metric_id when 'fcr_repeat' then 'fcr' else 'aht' end as tree,
        unit_kind,
        unit_key,
        business_date
    from {{ ref('exempt_day') }}
    where metric_id in ('aht', 'fcr_repeat')

),

windows as (

    select
        'fcr' as tree,
        valid_from,
        valid_to,
        window_days,
        not_before
    from {{ ref('int_metric_window') }}
    where metric_id = 'fcr_repeat'

),

-- Handle time: seconds by what they were spent on, and the handled segments they are spread over. The talk of systems
-- that do not mark hold includes it.
handled as (

    select
        'aht' as tree,
        segments.channel,
        segments.agent_key,
        segments.team_key,
        segments.business_date,
        driver.driver,
        driver.amount,
        driver.is_case
    from segments
    cross join
        lateral (
            values
            ('talk', segments.talk_seconds - coalesce(segments.hold_seconds, 0), true),
            ('hold', segments.hold_seconds, false),
            ('active', segments.active_seconds, segments.talk_seconds is null)
        ) as driver (driver, amount, is_case)
    where
        segments.is_effective
        and coalesce(segments.talk_seconds, segments.active_seconds) is not null
        and (
            (driver.driver = 'talk' and segments.channel = 'voice')
            or (driver.driver = 'hold' and segments.hold_seconds is not null)
            or (driver.driver = 'active' and segments.channel = 'chat')
        )

    union all

    select
        'aht' as tree,
        channel,
        agent_key,
        team_key,
        business_date,
        'wrap_up' as driver,
        capped_seconds as amount,
        false as is_case
    from states
    where state = 'acw' and untimed_call is null

),

-- Solved at the first contact, by what it was about. Every outcome whose window is over is a case of its class.
solved as (

    select
        'fcr' as tree,
        channel,
        agent_key,
        team_key,
        business_date,
        coalesce(issue_class, 'unknown') as driver,
        case when is_repeated then 0 else 1 end as amount,
        true as is_case
    from outcomes
    where is_repeat_matured

),

counted as (

    select * from handled
    union all
    select * from solved

),

daily as (

    select
        tree,
        channel,
        agent_key,
        team_key,
        driver,
        business_date,
        coalesce(sum(amount), 0)::numeric as amount,
        count(*) filter (where is_case) as case_count
    from counted
    group by tree, channel, agent_key, team_key, driver, business_date

),

-- As the metrics count: without the days that are exempt for the unit, and in the period in which a window ends.
credited as (

    select
        daily.tree,
        daily.channel,
        unit.unit_kind,
        unit.unit_key,
        daily.driver,
        daily.business_date,
        coalesce({{ matured_on('daily.business_date', 'windows') }}, daily.business_date) as counted_on,
        daily.amount,
        daily.case_count
    from daily
    cross join
        lateral (
            values
            ('agent', daily.agent_key),
            ('team', daily.team_key),
            ('site', 'site')
        ) as unit (unit_kind, unit_key)
    left join exempt
        on
            daily.tree = exempt.tree
            and daily.business_date = exempt.business_date
            and (exempt.unit_kind = 'all' or (unit.unit_kind = exempt.unit_kind and unit.unit_key = exempt.unit_key))
    left join windows
        on daily.tree = windows.tree and daily.business_date between windows.valid_from and windows.valid_to
    where unit.unit_key is not null and exempt.tree is null

),

pooled as (

    select
        credited.tree,
        credited.channel,
        credited.unit_kind,
        credited.unit_key,
        credited.driver,
        span.period_kind,
        span.period_start,
        span.period_end,
        sum(credited.amount) as amount,
        sum(credited.case_count) as case_count
    from credited
    cross join period
    cross join
        lateral (
            values
            (
                'week',
                credited.business_date,
                date_trunc('week', credited.business_date)::date,
                (date_trunc('week', credited.business_date) + interval '6 days')::date
            ),
            (
                'month',
                credited.business_date,
                date_trunc('month', credited.business_date)::date,
                (date_trunc('month', credited.business_date) + interval '1 month' - interval '1 day')::date
            ),
            ('period', credited.counted_on, period.period_start, period.period_end)
        ) as span (period_kind, counted_on, period_start, period_end)
    where span.counted_on between span.period_start and span.period_end
    group by
        credited.tree, credited.channel, credited.unit_kind, credited.unit_key, credited.driver, span.period_kind,
        span.period_start, span.period_end

),

totals as (

    select
        tree,
        channel,
        unit_kind,
        unit_key,
        period_kind,
        period_start,
        period_end,
        sum(case_count) as total_cases
    from pooled
    group by tree, channel, unit_kind, unit_key, period_kind, period_start, period_end

),

-- The range before, of the same length; a period has none.
pairs as (

    select
        totals.*,
        earlier.period_start as before_start,
        earlier.total_cases as before_cases
    from totals
    left join totals as earlier
        on
            totals.tree = earlier.tree
            and totals.channel = earlier.channel
            and totals.unit_kind = earlier.unit_kind
            and totals.unit_key = earlier.unit_key
            and totals.period_kind = earlier.period_kind
            and earlier.total_cases > 0
            and earlier.period_start = case totals.period_kind
                when 'week' then totals.period_start - 7
                when 'month' then (totals.period_start - interval '1 month')::date
            end
    where totals.total_cases > 0

),

-- A driver that only one of the two ranges has is in both, with nothing in one of them.
drivers as (

    select
        pairs.tree,
        pairs.channel,
        pairs.unit_kind,
        pairs.unit_key,
        pairs.period_kind,
        pairs.period_start,
        pooled.driver
    from pairs
    inner join pooled
        on
            pairs.tree = pooled.tree
            and pairs.channel = pooled.channel
            and pairs.unit_kind = pooled.unit_kind
            and pairs.unit_key = pooled.unit_key
            and pairs.period_kind = pooled.period_kind
            and pooled.period_start in (pairs.period_start, pairs.before_start)
    group by
        pairs.tree, pairs.channel, pairs.unit_kind, pairs.unit_key, pairs.period_kind, pairs.period_start,
        pooled.driver

),

sided as (

    select
        pairs.tree,
        pairs.channel,
        pairs.unit_kind,
        pairs.unit_key,
        pairs.period_kind,
        pairs.period_start,
        pairs.period_end,
        drivers.driver,
        pairs.total_cases,
        pairs.before_cases,
        coalesce(present.amount, 0) as amount,
        coalesce(present.case_count, 0) as case_count,
        coalesce(earlier.amount, 0) as before_amount,
        coalesce(earlier.case_count, 0) as before_case_count,
        site.amount / nullif(site.case_count, 0) as site_rate
    from pairs
    inner join drivers
        on
            pairs.tree = drivers.tree
            and pairs.channel = drivers.channel
            and pairs.unit_kind = drivers.unit_kind
            and pairs.unit_key = drivers.unit_key
            and pairs.period_kind = drivers.period_kind
            and pairs.period_start = drivers.period_start
    left join pooled as present
        on
            pairs.tree = present.tree
            and pairs.channel = present.channel
            and pairs.unit_kind = present.unit_kind
            and pairs.unit_key = present.unit_key
            and pairs.period_kind = present.period_kind
            and pairs.period_start = present.period_start
            and drivers.driver = present.driver
    left join pooled as earlier
        on
            pairs.tree = earlier.tree
            and pairs.channel = earlier.channel
            and pairs.unit_kind = earlier.unit_kind
            and pairs.unit_key = earlier.unit_key
            and pairs.period_kind = earlier.period_kind
            and pairs.before_start = earlier.period_start
            and drivers.driver = earlier.driver
    left join pooled as site
        on
            pairs.tree = site.tree
            and pairs.channel = site.channel
            and site.unit_kind = 'site'
            and pairs.period_kind = site.period_kind
            and pairs.period_start = site.period_start
            and drivers.driver = site.driver

),

-- Of a class: its share of the cases and its rate, in both ranges. A class without cases in one of them keeps the rate
-- of the other, so that all of its change is one of the mix.
rated as (

    select
        *,
        case_count::numeric / total_cases as case_share,
        coalesce(before_case_count::numeric / before_cases, 0) as before_share,
        coalesce(amount / nullif(case_count, 0), before_amount / nullif(before_case_count, 0)) as rate,
        coalesce(before_amount / nullif(before_case_count, 0), amount / nullif(case_count, 0)) as before_rate,
        sum(before_amount) over unit / before_cases as before_value
    from sided
    window unit as (
        partition by tree, channel, unit_kind, unit_key, period_kind, period_start
    )

),

-- Each part of the change is rounded but the first, which takes what is left of the rounded whole: parts add up.
parts as (

    select
        *,
        round(amount / total_cases, 10) as driver_value,
        case
            when before_cases is null then null
            when tree = 'aht' then round(amount / total_cases - before_amount / before_cases, 10)
            else round((case_share + before_share) / 2 * (rate - before_rate), 10)
        end as own_change,
        case
            when before_cases is null then null
            when tree = 'aht' then 0
            else round(((rate + before_rate) / 2 - before_value) * (case_share - before_share), 10)
        end as mix_change,
        round(sum(amount) over unit / total_cases, 10) as total_value,
        round(sum(amount) over unit / total_cases, 10)
        - round(sum(before_amount) over unit / before_cases, 10) as total_change,
        row_number() over (
            partition by tree, channel, unit_kind, unit_key, period_kind, period_start
            order by amount desc, driver asc
        ) as driver_rank
    from rated
    window unit as (
        partition by tree, channel, unit_kind, unit_key, period_kind, period_start
    )

)

select
    tree,
    unit_kind,
    unit_key,
    channel,
    period_kind,
    period_start,
    period_end,
    driver,
    trim_scale(amount) as amount,
    case when tree = 'fcr' then case_count else total_cases end::bigint as case_count,
    total_cases::bigint as total_case_count,
    trim_scale(
        case
            when driver_rank = 1
                then total_value - coalesce(sum(driver_value) filter (where driver_rank > 1) over unit, 0)
            else driver_value
        end
    ) as driver_value,
    trim_scale(total_value) as total_value,
    trim_scale(
        case
            when tree = 'fcr' and case_count = 0 then 0
            when tree = 'fcr' then round(case_count * site_rate / total_cases, 10)
        end
    ) as expected_value,
    trim_scale(
        case
            when driver_rank = 1
                then
                    total_change
                    - coalesce(sum(own_change) filter (where driver_rank > 1) over unit, 0)
                    - sum(mix_change) over unit
            else own_change
        end
    ) as own_change,
    trim_scale(mix_change) as mix_change,
    trim_scale(total_change) as total_change
from parts
window unit as (
    partition by tree, channel, unit_kind, unit_key, period_kind, period_start
)
