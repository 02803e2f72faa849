with metrics as (

    select
        metric_id,
        units,
        channels,
        needs
    from {{ ref('stg_cfg__metric') }}

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

scopes as (

    select
        metrics.metric_id,
        unit.unit_kind,
        channel.channel,
        coalesce(metrics.needs -> unit.unit_kind, '[]'::jsonb)
        || coalesce(metrics.needs -> 'any', '[]'::jsonb) as needs
    from metrics
    cross join lateral jsonb_array_elements_text(metrics.units) as unit (unit_kind)
    cross join lateral jsonb_array_elements_text(metrics.channels) as channel (channel)

)

select
    scopes.metric_id,
    scopes.unit_kind,
    scopes.channel,
    count(sources.source_id) > 0 as has_source,
    -- Measured when at least one source of the channel can record all that the metric needs.
    count(sources.source_id) filter (
        where not exists (
            select 1
            from jsonb_array_elements_text(scopes.needs) as need (capability)
            where sources.cannot ? need.capability
        )
    ) > 0 as is_measured
from scopes
left join sources on scopes.channel = sources.channel
group by scopes.metric_id, scopes.unit_kind, scopes.channel
