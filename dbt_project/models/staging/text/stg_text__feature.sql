{{ config(indexes=[{'columns': ['entity', 'source_id', 'message_key', 'feature'], 'unique': true}]) }}

with hits as (

    select * from {{ source('ops', 'text_feature') }}
    where load_seq <= {{ var('data_cut') }}

),

readings as (

    select * from {{ ref('stg_text__reading') }}

),

-- What a newer version has read, it has judged; an older one speaks only for texts that were gone by then.
judged as (

    select hits.*
    from hits
    inner join readings
        on
            hits.source_id = readings.source_id
            and hits.entity = readings.entity
            and hits.field = readings.field
            and hits.feature = readings.feature
            and hits.version = readings.version
    where
        not exists (
            select 1
            from readings as newer
            where
                newer.source_id = hits.source_id
                and newer.entity = hits.entity
                and newer.field = hits.field
                and newer.feature = hits.feature
                and newer.version > hits.version
                and hits.load_seq between newer.read_from_cut and newer.read_to_cut
        )

)

select
    source_id,
    entity,
    message_key,
    feature,
    max(version) as lexicon_version,
    max(value) as hit_count,
    (array_agg(excerpt order by version desc, load_seq desc, field asc))[1] as excerpt
from judged
group by source_id, entity, message_key, feature
