{# The rows of a version log that are current at data_cut: the last version of each key, deletions left out. #}
{% macro current_rows(log, columns) -%}
    {%- set rule = patching() -%}
    {%- set listed -%}
        {%- for column in columns %}
        r.{{ column }},
        {%- endfor %}
        r._source_id as source_id,
        r._time_is_ambiguous as time_is_ambiguous
    {%- endset -%}
    -- Most keys have one version: only those with a later one are ranked.
    select
        {{- listed }}
    from {{ log }} as r
    where
        r._load_seq <= {{ var('data_cut') }}
        and not r._is_deleted
        {%- if rule %}
        and {{ is_dirty_record('r') }}
        {%- endif %}
        and not exists (
            select 1
            from {{ log }} as c
            where
                c._is_change
                and c._load_seq <= {{ var('data_cut') }}
                and c._source_id = r._source_id
                and c._key = r._key
        )

    union all

    select
        {{- listed }}
    from (
        select
            l.*,
            row_number() over (
                partition by l._key, l._source_id
                order by l._source_version desc nulls last, l._load_seq desc, l._load_row desc
            ) as version_rank
        from {{ log }} as l
        where
            l._load_seq <= {{ var('data_cut') }}
            {%- if rule %}
            and {{ is_dirty_record('l') }}
            {%- endif %}
            and exists (
                select 1
                from {{ log }} as c
                where
                    c._is_change
                    and c._load_seq <= {{ var('data_cut') }}
                    and c._source_id = l._source_id
                    and c._key = l._key
            )
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

{# Every version of the configuration objects of a kind with the days it holds for. The first holds for all days before
   it too: what was measured before anybody declared anything still needs a definition. #}
{% macro config_versions(kind) -%}
    select
        c.object_id,
        c.version,
        c.body,
        c.valid_from as declared_from,
        case
            when row_number() over (partition by c.object_id order by c.valid_from) = 1 then '-infinity'::date
            else c.valid_from
        end as valid_from,
        coalesce(lead(c.valid_from) over (partition by c.object_id order by c.valid_from) - 1, 'infinity'::date)
            as valid_to
    from (
        select
            o.*,
            row_number() over (partition by o.object_id, o.valid_from order by o.version desc) as version_rank
        from {{ source('cfg', 'object_version') }} as o
        where o.kind = '{{ kind }}'
    ) as c
    where c.version_rank = 1
{%- endmacro %}

{# The same of what a source knows by an account: of a day and account there is one object, the one declared last. #}
{% macro account_versions(kind) -%}
    select
        v.object_id,
        v.version,
        v.body,
        case when lag(v.version) over of_account is null then v.valid_from else v.declared_from end as valid_from,
        least(v.valid_to, lead(v.declared_from) over of_account - 1) as valid_to
    from ({{ config_versions(kind) }}) as v
    window
        of_account as (
            partition by v.body ->> 'source_id', v.body ->> 'account'
            order by v.declared_from, v.object_id
        )
{%- endmacro %}

{# Whether a day does not count for a metric of an agent. #}
{% macro is_exempt(metric_id, agent_key, business_date) -%}
    exists (
        select 1
        from {{ ref('exempt_day') }} as exempt
        where
            exempt.metric_id = '{{ metric_id }}'
            and exempt.business_date = {{ business_date }}
            and (exempt.unit_kind = 'all' or (exempt.unit_kind = 'agent' and exempt.unit_key = {{ agent_key }}))
    )
{%- endmacro %}

{# The metrics whose numerators, denominators and n add up over channels: all but percentiles and distinct counts. #}
{% macro additive_metrics() -%}
    select metrics.metric_id
    from {{ ref('stg_cfg__metric') }} as metrics
    inner join {{ ref('stg_cfg__metric_measure') }} as parts
        on metrics.metric_id = parts.metric_id and metrics.metric_version = parts.metric_version
    inner join {{ ref('stg_cfg__measure') }} as measures
        on parts.measure_id = measures.measure_id
    group by metrics.metric_id
    having not bool_or(measures.aggregation in ('distinct', 'histogram'))
{%- endmacro %}

{# The name of every person, once however often the team changed. #}
{% macro agent_names() -%}
    select
        agent_key,
        max(agent_name) as agent_name
    from {{ ref('dim_agent') }}
    group by agent_key
{%- endmacro %}
