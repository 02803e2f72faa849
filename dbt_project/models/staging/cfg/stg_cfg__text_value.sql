with parameters as (

    {{ config_versions('parameter') }}

),

sites as (

    {{ config_versions('site') }}

),

defaults as (

    {{ config_versions('defaults') }}

),

sections as (

    select
        'site' as section_name,
        body as members,
        valid_from,
        valid_to
    from sites
    union all
    select
        section.key as section_name,
        section.value as members,
        defaults.valid_from,
        defaults.valid_to
    from defaults
    cross join lateral jsonb_each(defaults.body) as section
    where jsonb_typeof(section.value) = 'object'

),

numbers as (

    select
        object_id as value_name,
        (body ->> 'value')::numeric as number,
        false as is_share,
        valid_from,
        valid_to
    from parameters
    where coalesce(body -> 'choices', '{}') = '{}'
    union all
    select
        sections.section_name || '.' || field.key as value_name,
        (field.value #>> '{}')::numeric as number,
        field.key like '%share%' as is_share,
        sections.valid_from,
        sections.valid_to
    from sections
    cross join lateral jsonb_each(sections.members) as field
    where jsonb_typeof(field.value) = 'number'

)

select
    value_name,
    valid_from,
    valid_to,
    case when is_share then trim_scale(number * 100) || '%' else trim_scale(number)::text end as value_zh,
    case when is_share then trim_scale(number * 100) || ' %' else trim_scale(number)::text end as value_en
from numbers
union all
select
    object_id as value_name,
    valid_from,
    valid_to,
    body #>> array['choices', body ->> 'value', 'zh'] as value_zh,
    body #>> array['choices', body ->> 'value', 'en'] as value_en
from parameters
where body -> 'choices' <> '{}'
