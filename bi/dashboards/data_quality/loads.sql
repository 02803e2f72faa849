-- One row per source and entity: every record that was read is accounted for.
select
    load_status.source_id,
    load_status.entity,
    load_status.loaded_at,
    load_status.read_count,
    load_status.inserted_count,
    load_status.unchanged_count,
    load_status.filtered_count,
    load_status.quarantined_count,
    case
        when
            load_status.read_count <> load_status.inserted_count + load_status.unchanged_count
            + load_status.filtered_count + load_status.quarantined_count
            then 'failed'
        when load_status.quarantined_count > 0 then 'attention'
        else 'ok'
    end as state
from pub_operations.load_status
