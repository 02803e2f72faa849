{# The rows of a version log that are current at data_cut: the last version of each key, deletions left out. #}
{% macro current_rows(log, columns) -%}
    select
        {% for column in columns -%}
        r.{{ column }},
        {% endfor -%}
        r._source_id as source_id,
        r._time_is_ambiguous as time_is_ambiguous
    from (
        select
            l.*,
            row_number() over (
                partition by l._source_id, l._key
                order by l._source_version desc nulls last, l._load_seq desc, l._load_row desc
            ) as version_rank
        from {{ log }} as l
        where l._load_seq <= {{ var('data_cut') }}
    ) as r
    where r.version_rank = 1 and not r._is_deleted
{%- endmacro %}

{# The configuration objects of a kind that are in effect when the period starts. #}
{% macro current_config(kind) -%}
    select
        c.object_id,
        c.version,
        c.content_hash,
        c.body
    from (
        select
            o.*,
            row_number() over (partition by o.object_id order by o.version desc) as version_rank
        from {{ source('cfg', 'object_version') }} as o
        where o.kind = '{{ kind }}' and o.valid_from <= '{{ var("period_start") }}'::date
    ) as c
    where c.version_rank = 1
{%- endmacro %}

{# What the metrics count of each queue, channel and day: the sums that other ways of counting visits must meet. #}
{% macro queue_day_measures() -%}
    select
        unit_key as queue_key,
        channel,
        business_date,
        sum(measure_value) filter (where measure_id = 'queue_offered') as offered,
        sum(measure_value) filter (where measure_id = 'queue_answered') as answered,
        sum(measure_value) filter (where measure_id = 'queue_abandoned') as abandoned,
        sum(measure_value) filter (where measure_id = 'queue_answered_or_abandoned') as answered_or_abandoned
    from {{ ref('measure_day') }}
    where unit_kind = 'queue'
    group by unit_key, channel, business_date
{%- endmacro %}
