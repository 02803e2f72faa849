{# The entities of which a stretch of time can be read, with the field that the stretch is about, as the connectors
   declare them (`window_on`), and whether it is an instant or a day. A test compares this list with the connectors. #}
{% macro windowed_entities() -%}
    {{ return([
        ('asterisk', 'cdr', 'started_at', 'instant'),
        ('asterisk', 'cel', 'event_at', 'instant'),
        ('asterisk', 'queue_log', 'event_second', 'instant'),
        ('chatwoot', 'conversation', 'last_activity_at', 'instant'),
        ('chatwoot', 'csat_response', 'answered_at', 'instant'),
        ('chatwoot', 'message', 'sent_at', 'instant'),
        ('live_helper_chat', 'agent_statistic', 'day_start', 'instant'),
        ('live_helper_chat', 'chat', 'started_at', 'instant'),
        ('live_helper_chat', 'message', 'sent_at', 'instant'),
        ('live_helper_chat', 'participant', 'chat_started_at', 'instant'),
        ('live_helper_chat', 'survey_item', 'answered_at', 'instant'),
        ('tabular', 'assist', 'asked_at', 'instant'),
        ('tabular', 'attendance_day', 'attendance_date', 'day'),
        ('tabular', 'attendance_punch', 'attendance_date', 'day'),
        ('tabular', 'callback_task', 'created_at', 'instant'),
        ('tabular', 'coaching', 'coached_on', 'day'),
        ('tabular', 'complaint', 'received_at', 'instant'),
        ('tabular', 'contact_block_day', 'block_date', 'day'),
        ('tabular', 'cost', 'month', 'day'),
        ('tabular', 'daily_form', 'form_date', 'day'),
        ('tabular', 'dial', 'dialed_at', 'instant'),
        ('tabular', 'exam', 'exam_date', 'day'),
        ('tabular', 'group_chat_day', 'chat_date', 'day'),
        ('tabular', 'lead', 'assigned_on', 'day'),
        ('tabular', 'live_sample', 'sampled_at', 'instant'),
        ('tabular', 'order', 'paid_at', 'instant'),
        ('tabular', 'qa_review', 'reviewed_at', 'instant'),
        ('tabular', 'registration', 'registered_at', 'instant'),
        ('tabular', 'roster', 'shift_date', 'day'),
        ('tabular', 'social_feedback', 'posted_at', 'instant'),
        ('tabular', 'survey_response', 'answered_at', 'instant'),
        ('tabular', 'ticket', 'opened_at', 'instant'),
        ('tabular', 'ticket_event', 'event_at', 'instant'),
        ('tabular', 'training', 'assigned_on', 'day'),
        ('tabular', 'work_order_audit', 'audited_at', 'instant'),
    ]) }}
{%- endmacro %}

{# Every version of a record of these entities up to data_cut with its load and its instant; of a day the end, because
   only then can it be told in full. `site` must be in scope. #}
{% macro windowed_records() -%}
    {% for system, entity, field, kind in windowed_entities() -%}
        select
            log._source_id as source_id,
            '{{ entity }}' as entity,
            log._load_seq as load_seq,
            log._is_change as is_change,
            {{ instant_of('log.' ~ field, kind) }} as event_at
        from {{ source('raw_' ~ system, entity) }} as log
        cross join site
        where log._load_seq <= {{ var('data_cut') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
{%- endmacro %}

{% macro instant_of(field, kind) -%}
    {% if kind == 'instant' -%}
        {{ field }}
    {%- else -%}
        ({{ field }} + 1 + site.day_cutover)::timestamp at time zone site.time_zone
    {%- endif %}
{%- endmacro %}

{# The entities themselves, as rows. #}
{% macro windowed_entity_rows() -%}
    {% for system, entity, field, kind in windowed_entities() -%}
        ('{{ system }}', '{{ entity }}'){% if not loop.last %},{% endif %}
    {% endfor %}
{%- endmacro %}
