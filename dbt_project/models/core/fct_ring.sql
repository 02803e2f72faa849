{{ config(indexes=[{'columns': ['ring_key'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with rings as (

    select * from {{ ref('int_ring') }}

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

identities as (

    select * from {{ ref('int_identity') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

credited as (

    select
        rings.*,
        sources.channel,
        coalesce(
            queues.queue_key, 'unmapped:' || rings.source_id || ':' || coalesce(rings.queue_account, '?')
        ) as queue_key,
        coalesce(
            identities.agent_key, 'unmapped:' || rings.source_id || ':' || coalesce(rings.agent_account, '?')
        ) as agent_key
    from rings
    inner join sources
        on rings.source_id = sources.source_id
    cross join site
    left join queues
        on
            rings.source_id = queues.source_id
            and rings.queue_account = queues.account
            and {{ local_date('rings.started_at', 'site') }} between queues.valid_from and queues.valid_to
    left join identities
        on
            rings.source_id = identities.source_id
            and rings.agent_account = identities.account
            and rings.started_at >= identities.held_from
            and rings.started_at < identities.held_until

)

select
    credited.source_id || ':' || credited.callid || '/' || credited.ring_number as ring_key,
    credited.source_id || ':' || credited.callid as conversation_key,
    credited.channel,
    credited.queue_key,
    credited.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    credited.is_answered,
    row_number() over (
        partition by credited.callid, credited.source_id, credited.agent_key
        order by credited.is_answered desc, credited.ring_number asc
    ) = 1
    and not credited.is_answered as is_missed_call,
    credited.started_at,
    credited.ring_seconds,
    {{ agent_business_date('shift', 'credited.started_at', 'site') }} as business_date
from credited
cross join site
{{ shift_of('credited.agent_key', 'credited.started_at', 'site', 'shift') }}
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ agent_business_date('shift', 'credited.started_at', 'site') }}
        between teams.valid_from and teams.valid_to
