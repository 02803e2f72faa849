-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_segment': 'conversation_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_segment') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.channel as channel,
        rows.conversation_date as business_date,
        case when is_response_due and is_in_service_window then 1 end as segments_to_reply,
        case when is_response_due and is_in_service_window and is_replied then 1 end as segments_replied
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
        end as unit_kind,
        coalesce(
            agent_unit
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(segments_to_reply), 0)::numeric as segments_to_reply,
        coalesce(sum(segments_replied), 0)::numeric as segments_replied
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('segments_to_reply', false, pooled.segments_to_reply),
    ('segments_replied', false, pooled.segments_replied)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}