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

    select * from {{ ref('stg_cfg__queue') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

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
    visits.outcome = 'abandoned' and visits.wait_seconds < site.short_abandon_seconds as is_short_abandon,
    queues.service_level_seconds,
    {{ local_date('visits.entered_at', 'site') }} as business_date,
    date_bin('30 minutes', visits.entered_at, '2000-01-01T00:00:00Z'::timestamptz) as interval_start_at
from visits
inner join sources
    on visits.source_id = sources.source_id
cross join site
left join queues
    on visits.source_id = queues.source_id and visits.queue_account = queues.account
