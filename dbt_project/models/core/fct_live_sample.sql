with samples as (

    select * from {{ ref('int_live_sample') }}

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

)

select
    samples.source_id,
    samples.queue_source_id,
    samples.queue_account,
    coalesce(sources.channel, 'none') as channel,
    queues.queue_key,
    coalesce(queues.team_key, 'unassigned') as team_key,
    samples.sampled_at,
    samples.agents_online,
    samples.agents_available,
    samples.contacts_waiting,
    samples.longest_wait_seconds,
    samples.contacts_in_progress,
    {{ local_date('samples.sampled_at', 'site') }} as business_date
from samples
cross join site
left join sources
    on samples.queue_source_id = sources.source_id
left join queues
    on
        samples.queue_source_id = queues.source_id
        and samples.queue_account = queues.account
        and {{ local_date('samples.sampled_at', 'site') }} between queues.valid_from and queues.valid_to
