{{ moves('range', counts={
    'metric_day': 'business_date', 'measure_histogram': 'business_date', 'measure_distinct': 'period_start'
}, also={'exempt_day': 'business_date'}, covers=['int_agent_team'], period_marks=['team'], clock=true) }}

-- Read where they are used, so that PostgreSQL plans with their statistics.
with days as not materialized (

    select * from {{ ref('metric_day') }}

),

distinct_counts as (

    select * from {{ ref('measure_distinct') }}

),

histogram as not materialized (

    select * from {{ ref('measure_histogram') }}

),

exempt as (

    select * from {{ ref('exempt_day') }}

),

parts as not materialized (

    select * from {{ ref('stg_cfg__metric_measure') }}

),

versions as not materialized (

    select * from {{ ref('stg_cfg__metric_version') }}

),

scopes as not materialized (

    select * from {{ ref('stg_cfg__metric_scope') }}

),

period as not materialized (

    select * from {{ ref('stg_cfg__period') }}

),

-- One number, looked up once and not for every row.
interval_default as materialized (

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
        days.unit_kind,
        days.unit_key
    from days
    cross join period
    where days.business_date between period.period_start and period.period_end
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

-- A stock is what its last day in the range says.
stocks as (

    select
        days.metric_id,
        days.metric_version,
        ranges.period_kind,
        ranges.period_start,
        max(days.business_date) as business_date
    from days
    cross join period
    cross join lateral ({{ ranges_of('days.business_date', with_day=false) }}) as ranges (period_kind, period_start)
    inner join versions
        on days.metric_id = versions.metric_id and days.metric_version = versions.metric_version
    where versions.kind = 'last'
    group by days.metric_id, days.metric_version, ranges.period_kind, ranges.period_start

),

-- A day of one channel is a row already; longer ranges are summed up.
by_channel as (

    select
        days.metric_id,
        days.metric_version,
        days.unit_kind,
        days.unit_key,
        days.channel,
        'day' as period_kind,
        days.business_date as period_start,
        days.is_exempt,
        days.numerator,
        days.denominator,
        days.n
    from days
    where true {{ and_is_dirty_range("'day'", 'days.business_date') }}

    union all

    select
        days.metric_id,
        days.metric_version,
        days.unit_kind,
        days.unit_key,
        days.channel,
        ranges.period_kind,
        ranges.period_start,
        bool_and(days.is_exempt) as is_exempt,
        sum(days.numerator) as numerator,
        sum(days.denominator) as denominator,
        sum(days.n) as n
    from days
    cross join period
    cross join lateral ({{ ranges_of('days.business_date', with_day=false) }}) as ranges (period_kind, period_start)
    left join stocks
        on
            days.metric_id = stocks.metric_id
            and days.metric_version = stocks.metric_version
            and ranges.period_kind = stocks.period_kind
            and ranges.period_start = stocks.period_start
    where
        (stocks.metric_id is null or days.business_date = stocks.business_date)
        and ranges.period_start is not null {{ and_is_dirty_range('ranges.period_kind', 'ranges.period_start') }}
    group by
        days.metric_id,
        days.metric_version,
        days.unit_kind,
        days.unit_key,
        days.channel,
        ranges.period_kind,
        ranges.period_start

),

-- A range is counted by the version in force on its first day.
in_force as (

    select by_channel.*
    from by_channel
    inner join versions
        on
            by_channel.metric_id = versions.metric_id
            and by_channel.metric_version = versions.metric_version
            and by_channel.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? by_channel.period_kind

),

summed as (

    select * from in_force

    union all

    select
        metric_id,
        metric_version,
        unit_kind,
        unit_key,
        'all' as channel,
        period_kind,
        period_start,
        bool_and(is_exempt) as is_exempt,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(n) as n
    from in_force
    group by metric_id, metric_version, unit_kind, unit_key, period_kind, period_start

),

measured_scopes as (

    select
        metric_id,
        metric_version,
        unit_kind,
        channel
    from scopes
    where has_source and is_measured
    union
    select
        metric_id,
        metric_version,
        unit_kind,
        'all' as channel
    from scopes
    where has_source and is_measured

),

-- Kept, because PostgreSQL would join every count with every version first.
distinct_parts as materialized (

    select
        parts.metric_id,
        parts.metric_version,
        parts.part,
        distinct_counts.unit_kind,
        distinct_counts.unit_key,
        distinct_counts.channel,
        distinct_counts.period_kind,
        distinct_counts.period_start,
        distinct_counts.measure_value
    from distinct_counts
    inner join parts
        on distinct_counts.measure_id = parts.measure_id
    inner join measured_scopes
        on
            parts.metric_id = measured_scopes.metric_id
            and parts.metric_version = measured_scopes.metric_version
            and distinct_counts.unit_kind = measured_scopes.unit_kind
            and distinct_counts.channel = measured_scopes.channel

),

counted as (

    select
        distinct_parts.metric_id,
        distinct_parts.metric_version,
        distinct_parts.unit_kind,
        distinct_parts.unit_key,
        distinct_parts.channel,
        distinct_parts.period_kind,
        distinct_parts.period_start,
        false as is_exempt,
        sum(distinct_parts.measure_value) filter (where distinct_parts.part = 'numerator') as numerator,
        sum(distinct_parts.measure_value) filter (where distinct_parts.part = 'denominator') as denominator,
        sum(distinct_parts.measure_value) filter (where distinct_parts.part = 'n') as n
    from distinct_parts
    inner join versions
        on
            distinct_parts.metric_id = versions.metric_id
            and distinct_parts.metric_version = versions.metric_version
            and distinct_parts.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? distinct_parts.period_kind
    group by
        distinct_parts.metric_id,
        distinct_parts.metric_version,
        distinct_parts.unit_kind,
        distinct_parts.unit_key,
        distinct_parts.channel,
        distinct_parts.period_kind,
        distinct_parts.period_start

),

buckets as (

    select
        versions.metric_id,
        versions.metric_version,
        versions.quantile,
        histogram.unit_kind,
        histogram.unit_key,
        coalesce(histogram.channel, 'all') as channel,
        ranges.period_kind,
        ranges.period_start,
        histogram.bucket,
        sum(histogram.bucket_count) as bucket_count
    from histogram
    cross join period
    cross join lateral ({{ ranges_of('histogram.business_date') }}) as ranges (period_kind, period_start)
    inner join parts
        on histogram.measure_id = parts.measure_id and parts.part = 'numerator'
    inner join versions
        on
            parts.metric_id = versions.metric_id
            and parts.metric_version = versions.metric_version
            and ranges.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? ranges.period_kind
    inner join scopes
        on
            versions.metric_id = scopes.metric_id
            and versions.metric_version = scopes.metric_version
            and histogram.unit_kind = scopes.unit_kind
            and histogram.channel = scopes.channel
            and scopes.has_source
            and scopes.is_measured
    left join exempt
        on
            versions.metric_id = exempt.metric_id
            and histogram.business_date = exempt.business_date
            and (
                exempt.unit_kind = 'all'
                or (histogram.unit_kind = exempt.unit_kind and histogram.unit_key = exempt.unit_key)
            )
    where exempt.metric_id is null {{ and_is_dirty_range('ranges.period_kind', 'ranges.period_start') }}
    group by grouping sets (
        (
            versions.metric_id, versions.metric_version, versions.quantile, histogram.unit_kind, histogram.unit_key,
            ranges.period_kind, ranges.period_start, histogram.bucket, histogram.channel
        ),
        (
            versions.metric_id, versions.metric_version, versions.quantile, histogram.unit_kind, histogram.unit_key,
            ranges.period_kind, ranges.period_start, histogram.bucket
        )
    )

),

cumulated as (

    select
        *,
        sum(bucket_count) over (
            partition by metric_id, metric_version, unit_kind, unit_key, channel, period_kind, period_start
            order by bucket
        ) as count_up_to,
        sum(bucket_count) over (
            partition by metric_id, metric_version, unit_kind, unit_key, channel, period_kind, period_start
        ) as count_of_all
    from buckets

),

percentiles as (

    select
        metric_id,
        metric_version,
        unit_kind,
        unit_key,
        channel,
        period_kind,
        period_start,
        false as is_exempt,
        {{ bucket_value('min(bucket) filter (where count_up_to >= quantile * count_of_all)') }} as numerator,
        null::numeric as denominator,
        max(count_of_all) as n
    from cumulated
    group by metric_id, metric_version, unit_kind, unit_key, channel, period_kind, period_start

),

-- What is distinct or a percentile may share a metric with what is summed; few metrics are of such parts.
parted as (

    select * from counted
    union all
    select * from percentiles

),

ranged as (

    select
        summed.metric_id,
        summed.metric_version,
        summed.unit_kind,
        summed.unit_key,
        summed.channel,
        summed.period_kind,
        summed.period_start,
        summed.is_exempt,
        summed.numerator,
        summed.denominator,
        coalesce(summed.n, 0) as n
    from summed
    where summed.metric_id not in (select parted.metric_id from parted)

    union all

    select
        metric_id,
        metric_version,
        unit_kind,
        unit_key,
        channel,
        period_kind,
        period_start,
        bool_or(is_exempt) as is_exempt,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        coalesce(sum(n), 0) as n
    from (
        select summed.*
        from summed
        where summed.metric_id in (select parted.metric_id from parted)
        union all
        select * from parted
    ) as together
    group by metric_id, metric_version, unit_kind, unit_key, channel, period_kind, period_start

),

-- A period shows every unit of every metric, so that what is missing is seen and has a reason.
frame as (

    select
        scopes.metric_id,
        scopes.metric_version,
        scopes.unit_kind,
        units.unit_key,
        coalesce(scopes.channel, 'all') as channel,
        bool_or(scopes.has_source) as has_source,
        bool_or(scopes.has_source and scopes.is_measured) as is_measured
    from scopes
    cross join period
    inner join versions
        on
            scopes.metric_id = versions.metric_id
            and scopes.metric_version = versions.metric_version
            and period.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? 'period'
    inner join units
        on scopes.unit_kind = units.unit_kind
    left join queue_channels
        on scopes.unit_kind = 'queue' and units.unit_key = queue_channels.queue_key
    where scopes.unit_kind <> 'queue' or scopes.channel = queue_channels.channel
    group by grouping sets (
        (scopes.metric_id, scopes.metric_version, scopes.unit_kind, units.unit_key, scopes.channel),
        (scopes.metric_id, scopes.metric_version, scopes.unit_kind, units.unit_key)
    )

),

valued as (

    select
        frame.metric_id,
        frame.metric_version,
        frame.unit_kind,
        frame.unit_key,
        frame.channel,
        'period' as period_kind,
        period.period_id,
        period.period_start,
        period.period_end,
        frame.has_source,
        frame.is_measured,
        coalesce(ranged.is_exempt, false) as is_exempt,
        ranged.numerator,
        ranged.denominator,
        coalesce(ranged.n, 0) as n
    from frame
    cross join period
    left join ranged
        on
            frame.metric_id = ranged.metric_id
            and frame.metric_version = ranged.metric_version
            and frame.unit_kind = ranged.unit_kind
            and frame.unit_key = ranged.unit_key
            and frame.channel = ranged.channel
            and ranged.period_kind = 'period'

    union all

    select
        ranged.metric_id,
        ranged.metric_version,
        ranged.unit_kind,
        ranged.unit_key,
        ranged.channel,
        ranged.period_kind,
        case ranged.period_kind
            when 'day' then ranged.period_start::text
            when 'week' then to_char(ranged.period_start, 'IYYY-"W"IW')
            else to_char(ranged.period_start, 'YYYY-MM')
        end as period_id,
        ranged.period_start,
        case ranged.period_kind
            when 'day' then ranged.period_start
            when 'week' then ranged.period_start + 6
            else (ranged.period_start + interval '1 month' - interval '1 day')::date
        end as period_end,
        true as has_source,
        true as is_measured,
        ranged.is_exempt,
        ranged.numerator,
        ranged.denominator,
        ranged.n
    from ranged
    inner join versions
        on ranged.metric_id = versions.metric_id and ranged.metric_version = versions.metric_version
    where
        ranged.period_kind <> 'period'
        and (
            coalesce(ranged.numerator, 0) <> 0
            or coalesce(ranged.denominator, 0) <> 0
            or ranged.n <> 0
            or ranged.is_exempt
            -- An empty stock is a finding, not an absence.
            or versions.kind = 'last'
        )

),

reasoned as (

    select
        valued.*,
        versions.kind,
        versions.unit,
        versions.scale,
        versions.is_bounded,
        case
            when not valued.has_source then 'source_missing'
            when not valued.is_measured then 'not_measured'
            when valued.is_exempt then 'exempt'
            when versions.kind = 'ratio' and coalesce(valued.denominator, 0) = 0 then 'no_denominator'
            when versions.kind = 'percentile' and valued.n = 0 then 'no_denominator'
            when
                valued.unit_kind = 'agent'
                and valued.period_kind = 'period'
                and versions.kind in ('ratio', 'percentile')
                and valued.n < versions.min_n
                then 'below_min_n'
        end as null_reason
    from valued
    inner join versions
        on valued.metric_id = versions.metric_id and valued.metric_version = versions.metric_version

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
    case
        when reasoned.is_measured and not (reasoned.kind = 'percentile' and reasoned.n = 0)
            then coalesce(reasoned.numerator, 0)
    end::numeric as numerator,
    case
        when reasoned.is_measured and reasoned.kind in ('ratio', 'excess') then coalesce(reasoned.denominator, 0)
    end::numeric as denominator,
    reasoned.n::bigint as n,
    case
        when reasoned.null_reason is not null then null
        when reasoned.kind = 'ratio' then reasoned.scale * coalesce(reasoned.numerator, 0) / reasoned.denominator
        when reasoned.kind = 'excess'
            -- Shares of a month are fractions; their last decimals are no excess.
            then round(greatest(coalesce(reasoned.numerator, 0) - coalesce(reasoned.denominator, 0), 0), 9)
        else coalesce(reasoned.numerator, 0)
    end::numeric as value,
    case
        when
            reasoned.null_reason is null
            and reasoned.unit = 'share'
            and reasoned.is_bounded
            and reasoned.n = reasoned.denominator
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', -1) }}
    end::numeric as interval_low,
    case
        when
            reasoned.null_reason is null
            and reasoned.unit = 'share'
            and reasoned.is_bounded
            and reasoned.n = reasoned.denominator
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', 1) }}
    end::numeric as interval_high,
    reasoned.null_reason::text as null_reason,
    '{{ var("as_of") }}'::timestamptz as as_of
from reasoned
cross join interval_default
