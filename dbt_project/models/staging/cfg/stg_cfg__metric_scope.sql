with versions as (

    select
        metric_id,
        metric_version,
        kind,
        units,
        channels,
        needs
    from {{ ref('stg_cfg__metric_version') }}

),

sources as (

    select
        source_id,
        channel,
        cannot || case
            when assignment_mode = 'self_accept' then '["pushed_assignment"]'::jsonb
            else '[]'::jsonb
        end as cannot
    from {{ ref('stg_cfg__source') }}

),

-- A kind of record counts as delivered once one was loaded: an empty inbox is no source of it.
delivered as (

    select entity
    from {{ source('ops', 'load') }}
    where load_seq <= {{ var('data_cut') }} and inserted_count > 0
    group by entity

),

scopes as (

    select
        versions.metric_id,
        versions.metric_version,
        unit.unit_kind,
        channel.channel,
        coalesce(versions.needs -> unit.unit_kind, '[]'::jsonb)
        || coalesce(versions.needs -> 'any', '[]'::jsonb) as needs
    from versions
    cross join lateral jsonb_array_elements_text(versions.units) as unit (unit_kind)
    cross join lateral jsonb_array_elements_text(versions.channels) as channel (channel)
    where versions.kind <> 'elsewhere'

)

select
    scopes.metric_id,
    scopes.metric_version,
    scopes.unit_kind,
    scopes.channel,
    -- A source of the channel, and for every record that is needed one that delivers it.
    count(sources.source_id) > 0
    and not exists (
        select 1
        from jsonb_array_elements_text(scopes.needs) as need (word)
        where
            need.word like 'entity:%'
            and not exists (
                select 1
                from delivered
                where 'entity:' || delivered.entity = need.word
            )
    ) as has_source,
    -- Measured when at least one source of the channel can record all that the metric needs.
    count(sources.source_id) filter (
        where not exists (
            select 1
            from jsonb_array_elements_text(scopes.needs) as need (word)
            where sources.cannot ? need.word
        )
    ) > 0 as is_measured
from scopes
left join sources on scopes.channel = sources.channel
group by scopes.metric_id, scopes.metric_version, scopes.unit_kind, scopes.channel, scopes.needs
