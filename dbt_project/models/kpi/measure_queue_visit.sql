-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_queue_visit': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_queue_visit') }}

),

credited as (

    select
        rows.queue_key as queue_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when outcome <> 'open' and not is_short_abandon then 1 end as queue_offered,
        case when outcome = 'abandoned' and not is_short_abandon then 1 end as queue_abandoned,
        case when outcome = 'answered' then 1 end as queue_answered,
        case when is_service_level_met then 1 end as queue_answered_in_time,
        case when is_service_level_due then 1 end as queue_answered_or_abandoned,
        case when outcome = 'answered' then wait_seconds end as queue_wait_seconds,
        case when outcome = 'abandoned' and not is_short_abandon then wait_seconds end as queue_abandon_seconds
    from rows

),

pooled as (

    select
        case
            when grouping(queue_unit) = 0 then 'queue'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            queue_unit,
            team_unit,
            case when grouping(queue_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(queue_offered), 0)::numeric as queue_offered,
        coalesce(sum(queue_abandoned), 0)::numeric as queue_abandoned,
        coalesce(sum(queue_answered), 0)::numeric as queue_answered,
        coalesce(sum(queue_answered_in_time), 0)::numeric as queue_answered_in_time,
        coalesce(sum(queue_answered_or_abandoned), 0)::numeric as queue_answered_or_abandoned,
        coalesce(sum(queue_wait_seconds), 0)::numeric as queue_wait_seconds,
        coalesce(sum(queue_abandon_seconds), 0)::numeric as queue_abandon_seconds
    from credited
    group by grouping sets (
        (queue_unit, channel, business_date),
        (team_unit, channel, business_date),
        (channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('queue_offered', false, pooled.queue_offered),
    ('queue_abandoned', false, pooled.queue_abandoned),
    ('queue_answered', false, pooled.queue_answered),
    ('queue_answered_in_time', false, pooled.queue_answered_in_time),
    ('queue_answered_or_abandoned', false, pooled.queue_answered_or_abandoned),
    ('queue_wait_seconds', false, pooled.queue_wait_seconds),
    ('queue_abandon_seconds', false, pooled.queue_abandon_seconds)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}