with measures as (

    select * from {{ ref('measure_day') }}

),

parts as (

    select * from {{ ref('stg_cfg__metric_measure') }}

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

scopes as (

    select * from {{ ref('stg_cfg__metric_scope') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

interval_default as (

    select (body #>> '{interval, z}')::numeric as z
    from ({{ current_config('defaults') }}) as current_defaults

),

units as (

    select
        'agent' as unit_kind,
        teams.agent_key as unit_key
    from {{ ref('int_agent_team') }} as teams
    cross join period
    where teams.valid_from <= period.period_end and teams.valid_to >= period.period_start
    union
    select
        measures.unit_kind,
        measures.unit_key
    from measures
    cross join period
    where measures.business_date between period.period_start and period.period_end
    union
    select
        'team' as unit_kind,
        team_key as unit_key
    from {{ ref('stg_cfg__team') }}
    union
    select
        'queue' as unit_kind,
        queue_key as unit_key
    from {{ ref('stg_cfg__queue') }}
    union
    select
        'site' as unit_kind,
        'site' as unit_key

),

queue_channels as (

    select
        queues.queue_key,
        sources.channel
    from {{ ref('stg_cfg__queue') }} as queues
    inner join {{ ref('stg_cfg__source') }} as sources
        on queues.source_id = sources.source_id

),

pooled as (

    select
        parts.metric_id,
        measures.unit_kind,
        measures.unit_key,
        measures.channel,
        measures.business_date,
        sum(measures.measure_value) filter (where parts.part = 'numerator') as numerator,
        sum(measures.measure_value) filter (where parts.part = 'denominator') as denominator,
        sum(measures.measure_value) filter (where parts.part = 'n') as n
    from measures
    inner join parts
        on measures.measure_id = parts.measure_id
    inner join scopes
        on
            parts.metric_id = scopes.metric_id
            and measures.unit_kind = scopes.unit_kind
            and measures.channel = scopes.channel
            and scopes.is_measured
    group by parts.metric_id, measures.unit_kind, measures.unit_key, measures.channel, measures.business_date

),

days as (

    select
        metric_id,
        unit_kind,
        unit_key,
        coalesce(channel, 'all') as channel,
        business_date,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(n) as n
    from pooled
    group by grouping sets (
        (metric_id, unit_kind, unit_key, channel, business_date),
        (metric_id, unit_kind, unit_key, business_date)
    )

),

period_sums as (

    select
        days.metric_id,
        days.unit_kind,
        days.unit_key,
        days.channel,
        sum(days.numerator) as numerator,
        sum(days.denominator) as denominator,
        sum(days.n) as n
    from days
    cross join period
    where days.business_date between period.period_start and period.period_end
    group by days.metric_id, days.unit_kind, days.unit_key, days.channel

),

-- A period shows every unit of every metric, so that what is missing is seen and has a reason.
frame as (

    select
        scopes.metric_id,
        scopes.unit_kind,
        units.unit_key,
        coalesce(scopes.channel, 'all') as channel,
        bool_or(scopes.has_source) as has_source,
        bool_or(scopes.is_measured) as is_measured
    from scopes
    inner join units
        on scopes.unit_kind = units.unit_kind
    left join queue_channels
        on scopes.unit_kind = 'queue' and units.unit_key = queue_channels.queue_key
    where scopes.unit_kind <> 'queue' or scopes.channel = queue_channels.channel
    group by grouping sets (
        (scopes.metric_id, scopes.unit_kind, units.unit_key, scopes.channel),
        (scopes.metric_id, scopes.unit_kind, units.unit_key)
    )

),

valued as (

    select
        frame.metric_id,
        frame.unit_kind,
        frame.unit_key,
        frame.channel,
        'period' as period_kind,
        period.period_id,
        period.period_start,
        period.period_end,
        frame.has_source,
        frame.is_measured,
        period_sums.numerator,
        period_sums.denominator,
        coalesce(period_sums.n, 0) as n
    from frame
    cross join period
    left join period_sums
        on
            frame.metric_id = period_sums.metric_id
            and frame.unit_kind = period_sums.unit_kind
            and frame.unit_key = period_sums.unit_key
            and frame.channel = period_sums.channel

    union all

    select
        metric_id,
        unit_kind,
        unit_key,
        channel,
        'day' as period_kind,
        business_date::text as period_id,
        business_date as period_start,
        business_date as period_end,
        true as has_source,
        true as is_measured,
        numerator,
        denominator,
        n
    from days
    where coalesce(numerator, 0) <> 0 or coalesce(denominator, 0) <> 0

),

reasoned as (

    select
        valued.*,
        metrics.metric_version,
        metrics.kind,
        metrics.unit,
        case
            when not valued.has_source then 'source_missing'
            when not valued.is_measured then 'not_measured'
            when metrics.kind = 'ratio' and coalesce(valued.denominator, 0) = 0 then 'no_denominator'
            when
                valued.unit_kind = 'agent'
                and valued.period_kind = 'period'
                and metrics.kind = 'ratio'
                and valued.n < metrics.min_n
                then 'below_min_n'
        end as null_reason
    from valued
    inner join metrics
        on valued.metric_id = metrics.metric_id

)

select
    reasoned.unit_kind::text as unit_kind,
    reasoned.unit_key::text as unit_key,
    reasoned.channel::text as channel,
    reasoned.metric_id::text as metric_id,
    reasoned.metric_version::integer as metric_version,
    reasoned.period_kind::text as period_kind,
    reasoned.period_id::text as period_id,
    reasoned.period_start::date as period_start,
    reasoned.period_end::date as period_end,
    case when reasoned.is_measured then coalesce(reasoned.numerator, 0) end::numeric as numerator,
    case when reasoned.is_measured and reasoned.kind = 'ratio' then coalesce(reasoned.denominator, 0) end::numeric
        as denominator,
    reasoned.n::bigint as n,
    case
        when reasoned.null_reason is not null then null
        when reasoned.kind = 'sum' then coalesce(reasoned.numerator, 0)
        else coalesce(reasoned.numerator, 0) / reasoned.denominator
    end::numeric as value,
    case
        when reasoned.null_reason is null and reasoned.unit = 'share' and reasoned.n = reasoned.denominator
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', -1) }}
    end::numeric as interval_low,
    case
        when reasoned.null_reason is null and reasoned.unit = 'share' and reasoned.n = reasoned.denominator
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', 1) }}
    end::numeric as interval_high,
    reasoned.null_reason::text as null_reason,
    '{{ var("as_of") }}'::timestamptz as as_of
from reasoned
cross join interval_default
