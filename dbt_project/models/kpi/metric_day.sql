{{ config(indexes=[
    {'columns': ['business_date', 'metric_id', 'unit_key', 'metric_version', 'channel', 'unit_kind'], 'unique': true}
]) }}
{{ moves(
    'date', counts={'measure_day': 'business_date'}, also={'exempt_day': 'business_date'}, dates=['business_date'],
    marks={'metric_id': 'metric_id'}, days=['business_date', 'business_date']
) }}

with measures as (

    select * from {{ ref('measure_day') }}

),

parts as (

    select * from {{ ref('stg_cfg__metric_measure') }}

),

scopes as (

    select * from {{ ref('stg_cfg__metric_scope') }}

),

windows as (

    select * from {{ ref('int_metric_window') }}

),

-- Two looks into one table: read in one place, PostgreSQL would keep it without its statistics.
everybody as (

    select
        metric_id,
        business_date
    from {{ ref('exempt_day') }}
    where unit_kind = 'all'

),

own as (

    select * from {{ ref('exempt_day') }}

),

pooled as (

    select
        parts.metric_id,
        parts.metric_version,
        measures.unit_kind,
        measures.unit_key,
        measures.channel,
        measures.business_date,
        {{ matured_on('measures.business_date', 'windows') }} as matured_on,
        sum(measures.measure_value) filter (where parts.part = 'numerator') as numerator,
        sum(measures.measure_value) filter (where parts.part = 'denominator') as denominator,
        sum(measures.measure_value) filter (where parts.part = 'n') as n
    from measures
    inner join parts
        on measures.measure_id = parts.measure_id
    left join windows
        on
            parts.metric_id = windows.metric_id
            and measures.business_date between windows.valid_from and windows.valid_to
    inner join scopes
        on
            parts.metric_id = scopes.metric_id
            and parts.metric_version = scopes.metric_version
            and measures.unit_kind = scopes.unit_kind
            and measures.channel = scopes.channel
            and scopes.has_source
            and scopes.is_measured
    -- A period may count days from before it by the definition of its own first day.
    where
        coalesce({{ matured_on('measures.business_date', 'windows') }}, measures.business_date) >= parts.valid_from
    group by
        parts.metric_id,
        parts.metric_version,
        measures.unit_kind,
        measures.unit_key,
        measures.channel,
        measures.business_date,
        windows.window_days,
        windows.not_before

)

select
    pooled.metric_id::text as metric_id,
    pooled.metric_version::integer as metric_version,
    pooled.unit_kind::text as unit_kind,
    pooled.unit_key::text as unit_key,
    pooled.channel::text as channel,
    pooled.business_date::date as business_date,
    pooled.matured_on::date as matured_on,
    (everybody.metric_id is not null or own.metric_id is not null)::boolean as is_exempt,
    case
        when everybody.metric_id is null and own.metric_id is null then coalesce(pooled.numerator, 0) else 0
    end::numeric as numerator,
    case
        when everybody.metric_id is null and own.metric_id is null then coalesce(pooled.denominator, 0) else 0
    end::numeric as denominator,
    case
        when everybody.metric_id is null and own.metric_id is null then coalesce(pooled.n, 0) else 0
    end::numeric as n
from pooled
left join everybody
    on
        pooled.metric_id = everybody.metric_id
        and pooled.business_date = everybody.business_date
left join own
    on
        pooled.unit_kind = own.unit_kind
        and pooled.unit_key = own.unit_key
        and pooled.metric_id = own.metric_id
        and pooled.business_date = own.business_date
{{ laid_by('pooled.business_date') }}
