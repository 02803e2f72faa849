{{ moves(settled=['ops.load']) }}

with loads as (

    select
        load_seq,
        completed_at
    from {{ source('ops', 'load') }}

)

select
    r.employee_number,
    r.shift_date,
    r.start_time,
    r.end_time,
    r.break_seconds,
    r.is_rest_day,
    r._source_id as source_id,
    r._time_is_ambiguous as time_is_ambiguous,
    r._is_deleted as is_withdrawn,
    row_number() over (
        partition by r._source_id, r._key
        order by r._source_version asc nulls first, r._load_seq asc, r._load_row asc
    ) as version_number,
    loads.completed_at as known_at
from {{ source('raw_tabular', 'roster') }} as r
inner join loads
    on r._load_seq = loads.load_seq
where r._load_seq <= {{ var('data_cut') }}
