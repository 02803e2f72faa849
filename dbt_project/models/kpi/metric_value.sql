{{ moves('range', counts={
    'metric_day': 'business_date', 'measure_histogram': 'business_date', 'measure_distinct': 'period_start'
}, also={'exempt_day': 'business_date'}, covers=['int_agent_team'], period_marks=['team'], stamp='as_of',
part='metric_id', parts='stg_cfg__metric_version') }}
{% set counted_on = "coalesce(days.matured_on, days.business_date)" %}
{% set longer_ranges = ranges_of('days.business_date', false, counted_on) %}
{% set and_is_dirty_bucket = and_is_dirty_range('ranges.period_kind', 'ranges.period_start', 'versions.metric_id') %}
{% set is_day = "versions.estimated_by = 'days' and not days.is_exempt" %}
{% set has_ranks = "low_rank >= 1 and high_rank <= count_of_all" %}
{#- What differs most comes first: sorting by it compares least. -#}
{% set place = "period_start, unit_key, metric_id, channel, period_kind, unit_kind, metric_version" %}

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

-- What is distinct may share a metric with what is summed; few metrics are of such parts.
distinct_metrics as not materialized (

    select
        parts.metric_id,
        parts.metric_version
    from parts
    inner join {{ ref('stg_cfg__measure') }} as measures
        on parts.measure_id = measures.measure_id
    where measures.aggregation = 'distinct'
    group by parts.metric_id, parts.metric_version

),

-- Cases that are met or not are a proportion; of other ratios only the days tell how far the value can be trusted.
versions as not materialized (

    select
        *,
        case
            when kind <> 'ratio' then null
            when unit = 'share' and is_bounded and count_measures = denominator_measures then 'proportion'
            else 'days'
        end as estimated_by
    from {{ ref('stg_cfg__metric_version') }}

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
    where {{ counted_on }} between period.period_start and period.period_end
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
    cross join lateral ({{ longer_ranges }}) as ranges (period_kind, period_start)
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
        days.n,
        null::numeric as spread_of_numerator,
        null::numeric as spread_of_denominator,
        null::numeric as spread_of_both,
        null::bigint as freedom
    from days

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
        sum(days.n) as n,
        {{ spread_of_sum('days.numerator', is_day) }} as spread_of_numerator,
        {{ spread_of_sum('days.denominator', is_day) }} as spread_of_denominator,
        {{ spread_of_sum('days.numerator + days.denominator', is_day) }} as spread_of_both,
        count(*) filter (where {{ is_day }}) - 1 as freedom
    from days
    cross join period
    cross join lateral ({{ longer_ranges }}) as ranges (period_kind, period_start)
    inner join versions
        on days.metric_id = versions.metric_id and days.metric_version = versions.metric_version
    left join stocks
        on
            days.metric_id = stocks.metric_id
            and days.metric_version = stocks.metric_version
            and ranges.period_kind = stocks.period_kind
            and ranges.period_start = stocks.period_start
    where
        (versions.kind <> 'last' or days.business_date = stocks.business_date)
        and ranges.period_start is not null
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
in_force as materialized (

    select
        by_channel.*,
        distinct_metrics.metric_id is not null as has_distinct
    from by_channel
    inner join versions
        on
            by_channel.metric_id = versions.metric_id
            and by_channel.metric_version = versions.metric_version
            and by_channel.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? by_channel.period_kind
    left join distinct_metrics
        on
            by_channel.metric_id = distinct_metrics.metric_id
            and by_channel.metric_version = distinct_metrics.metric_version
    -- Not before they are summed: PostgreSQL would expect few rows to be left, and sort the many there are.
    where true {{ and_is_dirty_range('by_channel.period_kind', 'by_channel.period_start', 'by_channel.metric_id') }}

),

-- From here to the end a condition reaches down to the rows above: that is faster than keeping what few of them need.
summed as not materialized (

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
        sum(n) as n,
        sum(spread_of_numerator) as spread_of_numerator,
        sum(spread_of_denominator) as spread_of_denominator,
        sum(spread_of_both) as spread_of_both,
        case when min(freedom) > 0 then sum(freedom) end as freedom,
        has_distinct
    from in_force
    group by metric_id, metric_version, unit_kind, unit_key, period_kind, period_start, has_distinct

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
distinct_scopes as materialized (

    select
        parts.metric_id,
        parts.metric_version,
        parts.part,
        parts.measure_id,
        measured_scopes.unit_kind,
        measured_scopes.channel
    from parts
    inner join distinct_metrics
        on parts.metric_id = distinct_metrics.metric_id and parts.metric_version = distinct_metrics.metric_version
    inner join measured_scopes
        on parts.metric_id = measured_scopes.metric_id and parts.metric_version = measured_scopes.metric_version

),

distinct_parts as materialized (

    select
        scopes.metric_id,
        scopes.metric_version,
        scopes.part,
        distinct_counts.unit_kind,
        distinct_counts.unit_key,
        distinct_counts.channel,
        distinct_counts.period_kind,
        distinct_counts.period_start,
        distinct_counts.measure_value
    from distinct_counts
    inner join distinct_scopes as scopes
        on
            distinct_counts.measure_id = scopes.measure_id
            and distinct_counts.unit_kind = scopes.unit_kind
            and distinct_counts.channel = scopes.channel

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

-- Kept, because PostgreSQL would expect one row of so many joins.
percentile_scopes as materialized (

    select
        versions.metric_id,
        versions.metric_version,
        versions.quantile,
        versions.valid_from,
        versions.valid_to,
        versions.grains,
        parts.measure_id,
        scopes.unit_kind,
        scopes.channel
    from versions
    inner join parts
        on
            versions.metric_id = parts.metric_id
            and versions.metric_version = parts.metric_version
            and parts.part = 'numerator'
    inner join scopes
        on
            versions.metric_id = scopes.metric_id
            and versions.metric_version = scopes.metric_version
            and scopes.has_source
            and scopes.is_measured
    where versions.kind = 'percentile'

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
    inner join percentile_scopes as versions
        on
            histogram.measure_id = versions.measure_id
            and histogram.unit_kind = versions.unit_kind
            and histogram.channel = versions.channel
            and ranges.period_start between versions.valid_from and versions.valid_to
            and versions.grains ? ranges.period_kind
    left join exempt
        on
            versions.metric_id = exempt.metric_id
            and histogram.business_date = exempt.business_date
            and (
                exempt.unit_kind = 'all'
                or (histogram.unit_kind = exempt.unit_kind and histogram.unit_key = exempt.unit_key)
            )
    where exempt.metric_id is null {{ and_is_dirty_bucket }}
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
        buckets.*,
        sum(buckets.bucket_count) over (partition by {{ place }} order by buckets.bucket) as count_up_to,
        sum(buckets.bucket_count) over (partition by {{ place }}) as count_of_all
    from buckets

),

ranked as (

    select
        cumulated.*,
        cumulated.quantile * cumulated.count_of_all as value_rank,
        {{ quantile_rank('cumulated.count_of_all', 'cumulated.quantile', 'interval_default.z', -1) }} as low_rank,
        {{ quantile_rank('cumulated.count_of_all', 'cumulated.quantile', 'interval_default.z', 1) }} as high_rank
    from cumulated
    cross join interval_default

),

-- Both ends of an interval are cases that were counted; of few cases none may have the rank.
percentiles as materialized (

    select
        {{ place }},
        false as is_exempt,
        {{ bucket_value('min(bucket) filter (where count_up_to >= value_rank)') }} as numerator,
        null::numeric as denominator,
        max(count_of_all) as n,
        {{ bucket_value('min(bucket) filter (where count_up_to >= low_rank and ' ~ has_ranks ~ ')') }} as low,
        {{ bucket_value('min(bucket) filter (where count_up_to >= high_rank and ' ~ has_ranks ~ ')') }} as high
    from ranked
    group by {{ place }}

),

estimated as not materialized (

    select
        {{ place }},
        summed.has_distinct,
        summed.is_exempt,
        summed.numerator,
        summed.denominator,
        summed.n,
        {{ ratio_limit('summed', 'interval_default.z', -1) }} as low,
        {{ ratio_limit('summed', 'interval_default.z', 1) }} as high
    from summed
    cross join interval_default

),

ranged as not materialized (

    select
        {{ place }},
        is_exempt,
        numerator,
        denominator,
        n,
        low,
        high
    from estimated
    where not has_distinct

    union all

    select
        {{ place }},
        is_exempt,
        numerator,
        denominator,
        n,
        low,
        high
    from percentiles

    union all

    select
        {{ place }},
        bool_or(is_exempt) as is_exempt,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        coalesce(sum(n), 0) as n,
        null::numeric as low,
        null::numeric as high
    from (
        select
            {{ place }},
            is_exempt,
            numerator,
            denominator,
            n
        from estimated
        where has_distinct
        union all
        select
            {{ place }},
            is_exempt,
            numerator,
            denominator,
            n
        from counted
    ) as together
    group by {{ place }}

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

valued as not materialized (

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
        coalesce(ranged.n, 0) as n,
        ranged.low,
        ranged.high
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
        ranged.n,
        ranged.low,
        ranged.high
    from ranged
    where ranged.period_kind <> 'period'

),

reasoned as not materialized (

    select
        valued.*,
        versions.kind,
        versions.scale,
        versions.estimated_by,
        versions.lowest,
        versions.highest,
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
    where
        valued.period_kind = 'period'
        or coalesce(valued.numerator, 0) <> 0
        or coalesce(valued.denominator, 0) <> 0
        or valued.n <> 0
        or valued.is_exempt
        -- An empty stock is a finding, not an absence.
        or versions.kind = 'last'

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
        when reasoned.null_reason is not null then null
        when reasoned.estimated_by = 'proportion'
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', -1) }}
        when reasoned.low is not null then greatest(round(reasoned.scale * reasoned.low, 9), reasoned.lowest)
    end::numeric as interval_low,
    case
        when reasoned.null_reason is not null then null
        when reasoned.estimated_by = 'proportion'
            then {{ wilson('reasoned.numerator', 'reasoned.n', 'interval_default.z', 1) }}
        when reasoned.high is not null then least(round(reasoned.scale * reasoned.high, 9), reasoned.highest)
    end::numeric as interval_high,
    reasoned.null_reason::text as null_reason,
    '{{ var("as_of") }}'::timestamptz as as_of
from reasoned
cross join interval_default
{{ laid_by('period_start') }}
