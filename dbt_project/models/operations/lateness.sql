with sources as (

    select * from {{ ref('stg_cfg__source') }}

),

-- Records of the quarantine that were read again say nothing about when a source told them.
loads as (

    select
        load_id,
        load_seq,
        source_id,
        entity,
        window_start,
        coalesce(window_end, started_at) as window_end,
        window_start is not null as is_windowed,
        inserted_count,
        tombstoned_count,
        started_at,
        completed_at,
        min(load_seq) over (partition by source_id, entity) as first_load_seq,
        max(coalesce(window_end, started_at)) over (
            partition by source_id, entity
            order by load_id
            rows between unbounded preceding and 1 preceding
        ) as read_until
    from {{ source('ops', 'load') }}
    where not is_replay

),

entities as (

    select * from (values {{ windowed_entity_rows() }}) as declared (system, entity)

),

look_backs as (

    select
        sources.source_id,
        entities.entity,
        coalesce(
            make_interval(mins => (sources.look_back_minutes_of ->> entities.entity)::integer), sources.look_back
        ) as look_back
    from sources
    inner join entities
        on sources.system = entities.system and sources.entities ? entities.entity

),

records as (

    select * from {{ ref('source_record') }}

),

-- What the first read of an entity finds is history: how late it came can no longer be told.
history as (

    select
        source_id,
        entity,
        sum(inserted_count + tombstoned_count) as history_count
    from loads
    where load_seq = first_load_seq and load_seq <= {{ var('data_cut') }}
    group by source_id, entity

),

-- The version logs are read once, whatever is asked of them.
told as materialized (

    select
        row_number() over () as record_number,
        records.source_id,
        records.entity,
        records.is_change,
        records.event_at,
        loads.load_id,
        loads.completed_at,
        loads.read_until,
        coalesce(loads.load_seq > loads.first_load_seq, false) as is_later
    from records
    left join loads
        on records.load_seq = loads.load_seq

),

newest as (

    select
        source_id,
        entity,
        max(event_at) as newest_at
    from told
    group by source_id, entity

),

-- A record is late when an earlier read covered its instant and did not find it so; the last such read counts.
late as (

    select
        told.record_number,
        extract(epoch from max(earlier.started_at) - told.event_at) as late_seconds
    from told
    inner join loads as earlier
        on
            told.source_id = earlier.source_id
            and told.entity = earlier.entity
            and told.load_id > earlier.load_id
            and told.event_at < earlier.window_end
            and told.event_at < earlier.started_at
            and (earlier.window_start is null or told.event_at >= earlier.window_start)
    where told.is_later and told.event_at < told.read_until
    group by told.record_number, told.event_at

),

timed as (

    select
        told.source_id,
        told.entity,
        told.is_change,
        case
            when told.completed_at < told.event_at then 0
            else extract(epoch from told.completed_at - told.event_at)
        end as delay_seconds,
        late.late_seconds
    from told
    left join late
        on told.record_number = late.record_number
    where told.is_later

),

reads as (

    select
        source_id,
        entity,
        count(*) as read_count,
        bool_or(is_windowed) as is_windowed
    from loads
    group by source_id, entity

),

measured as (

    select
        timed.source_id,
        timed.entity,
        count(*) as later_count,
        percentile_cont(0.5) within group (order by timed.delay_seconds) as median_delay_seconds,
        percentile_cont(0.9) within group (order by timed.delay_seconds) as p90_delay_seconds,
        max(timed.delay_seconds) as longest_delay_seconds,
        count(*) filter (where timed.late_seconds is not null and not timed.is_change) as late_count,
        count(*) filter (where timed.late_seconds is not null and timed.is_change) as late_change_count,
        percentile_cont(0.9) within group (order by timed.late_seconds) as p90_late_seconds,
        max(timed.late_seconds) as longest_late_seconds,
        count(*) filter (
            where reads.is_windowed and timed.late_seconds > extract(epoch from look_backs.look_back)
        ) as beyond_count
    from timed
    inner join look_backs
        on timed.source_id = look_backs.source_id and timed.entity = look_backs.entity
    inner join reads
        on timed.source_id = reads.source_id and timed.entity = reads.entity
    group by timed.source_id, timed.entity

)

select
    look_backs.source_id::text as source_id,
    look_backs.entity::text as entity,
    coalesce(reads.is_windowed, false) as is_windowed,
    case when reads.is_windowed then extract(epoch from look_backs.look_back) end::bigint as look_back_seconds,
    coalesce(reads.read_count, 0)::bigint as read_count,
    coalesce(history.history_count, 0)::bigint as history_count,
    coalesce(measured.later_count, 0)::bigint as later_count,
    measured.median_delay_seconds::bigint as median_delay_seconds,
    measured.p90_delay_seconds::bigint as p90_delay_seconds,
    measured.longest_delay_seconds::bigint as longest_delay_seconds,
    measured.late_count::bigint as late_count,
    measured.late_change_count::bigint as late_change_count,
    measured.p90_late_seconds::bigint as p90_late_seconds,
    measured.longest_late_seconds::bigint as longest_late_seconds,
    measured.beyond_count::bigint as beyond_count,
    measured.beyond_count > 0 as is_exceeded,
    newest.newest_at::timestamptz as newest_at
from look_backs
left join reads
    on look_backs.source_id = reads.source_id and look_backs.entity = reads.entity
left join history
    on look_backs.source_id = history.source_id and look_backs.entity = history.entity
left join measured
    on look_backs.source_id = measured.source_id and look_backs.entity = measured.entity
left join newest
    on look_backs.source_id = newest.source_id and look_backs.entity = newest.entity
