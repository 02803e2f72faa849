-- Lateness looks at every stored version once: those of the first read and those of later ones are all there are.
with stored as (

    select
        records.source_id,
        records.entity,
        count(*) as version_count
    from {{ ref('source_record') }} as records
    inner join {{ source('ops', 'load') }} as loads
        on records.load_seq = loads.load_seq
    where not loads.is_replay
    group by records.source_id, records.entity

),

looked_at as (

    select
        source_id,
        entity,
        history_count + later_count as version_count
    from {{ ref('lateness') }}

)

select
    looked_at.source_id,
    looked_at.entity
from looked_at
left join stored
    on looked_at.source_id = stored.source_id and looked_at.entity = stored.entity
where looked_at.version_count <> coalesce(stored.version_count, 0)
