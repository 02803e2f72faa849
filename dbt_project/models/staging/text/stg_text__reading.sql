{{ config(indexes=[{'columns': ['entity', 'source_id', 'field', 'feature', 'version'], 'unique': true}]) }}

with readings as (

    select * from {{ source('ops', 'text_reading') }}

),

lexicons as (

    select
        body ->> 'feature' as feature,
        version
    from ({{ current_config('lexicon') }}) as current_lexicons

),

loads as (

    select
        source_id,
        entity,
        max(load_seq) as newest_load_seq
    from {{ source('ops', 'load') }}
    where load_seq <= {{ var('data_cut') }}
    group by source_id, entity

)

select
    readings.source_id,
    readings.entity,
    readings.field,
    readings.feature,
    readings.version,
    min(readings.from_load_seq) as read_from_cut,
    max(readings.to_load_seq) as read_to_cut,
    readings.version = lexicons.version
    and max(readings.to_load_seq) >= coalesce(max(loads.newest_load_seq), 0) as is_up_to_date
from readings
inner join lexicons
    on readings.feature = lexicons.feature and readings.version <= lexicons.version
left join loads
    on readings.source_id = loads.source_id and readings.entity = loads.entity
group by
    readings.source_id,
    readings.entity,
    readings.field,
    readings.feature,
    readings.version,
    lexicons.version
