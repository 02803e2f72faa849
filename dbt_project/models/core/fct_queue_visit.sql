{{ moves('conversation', key=['conversation_key'], dates=['business_date']) }}

with visits as (

    select * from {{ ref('int_queue_visit') }}

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

queues as (

    select * from {{ ref('stg_cfg__queue_version') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

dated as (

    select
        visits.*,
        visits.outcome = 'abandoned' and visits.wait_seconds < parameters.short_abandon_seconds as is_short_abandon,
        parameters.sl_abandon_mode,
        {{ local_date('visits.entered_at', 'site') }} as business_date
    from visits
    cross join site
    inner join parameters
        on {{ local_date('visits.entered_at', 'site') }} between parameters.valid_from and parameters.valid_to

)

select
    visits.source_id || ':' || visits.conversation_id || '/' || coalesce(visits.queue_account, '?')
    || '/' || visits.visit_number as queue_visit_key,
    visits.source_id || ':' || visits.conversation_id as conversation_key,
    sources.channel,
    coalesce(
        queues.queue_key, 'unmapped:' || visits.source_id || ':' || coalesce(visits.queue_account, '?')
    ) as queue_key,
    coalesce(queues.team_key, 'unassigned') as team_key,
    visits.entered_at,
    visits.outcome,
    visits.wait_seconds,
    visits.is_short_abandon,
    queues.service_level_seconds,
    -- Where nothing was promised nothing is due. Of abandonments only those within the promised time are counted
    -- differently from system to system.
    queues.service_level_seconds is not null
    and (
        visits.outcome = 'answered'
        or (
            visits.outcome = 'abandoned'
            and not visits.is_short_abandon
            and not coalesce(
                visits.sl_abandon_mode = 'ignore' and visits.wait_seconds <= queues.service_level_seconds, false
            )
        )
    ) as is_service_level_due,
    coalesce(
        visits.wait_seconds <= queues.service_level_seconds
        and (
            visits.outcome = 'answered'
            or (visits.outcome = 'abandoned' and not visits.is_short_abandon and visits.sl_abandon_mode = 'reward')
        ),
        false
    ) as is_service_level_met,
    visits.business_date,
    date_bin('30 minutes', visits.entered_at, '2000-01-01T00:00:00Z'::timestamptz) as interval_start_at
from dated as visits
inner join sources
    on visits.source_id = sources.source_id
left join queues
    on
        visits.source_id = queues.source_id
        and visits.queue_account = queues.account
        and visits.business_date between queues.valid_from and queues.valid_to
