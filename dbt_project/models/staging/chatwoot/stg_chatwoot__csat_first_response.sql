{{ config(indexes=[{'columns': ['csat_response_id', 'source_id'], 'unique': true}]) }}

-- The first version of each answer that was changed later; the current one is stg_chatwoot__csat_response.
with versions as (

    select * from {{ source('raw_chatwoot', 'csat_response') }}
    where _load_seq <= {{ var('data_cut') }} and not _is_deleted

),

changed as (

    select
        _source_id,
        _key
    from versions
    where _is_change
    group by _source_id, _key

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions._source_id, versions._key
            order by versions._source_version nulls first, versions._load_seq, versions._load_row
        ) as version_rank
    from versions
    inner join changed
        on versions._source_id = changed._source_id and versions._key = changed._key

)

select
    _source_id as source_id,
    csat_response_id,
    rating as first_rating,
    answered_at as first_answered_at
from ranked
where version_rank = 1
