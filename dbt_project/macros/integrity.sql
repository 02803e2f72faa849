{# Whether the customer of an outcome came back about the same thing in time; false where class or customer is not
   known. #}
{% macro came_back(outcomes, within) -%}
    exists (
        select 1
        from {{ ref('int_customer_contact') }} as later
        where
            later.customer_key = {{ outcomes }}.customer_key
            and later.conversation_key <> {{ outcomes }}.conversation_key
            and later.issue_class = {{ outcomes }}.issue_class
            and later.started_at > {{ outcomes }}.ended_at
            and later.started_at <= {{ outcomes }}.ended_at + {{ within }}
    )
{%- endmacro %}
