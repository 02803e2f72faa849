{{ config(indexes=[{'columns': ['conversation_key', 'label'], 'unique': true}]) }}
{{ moves(key=['conversation_key']) }}

with labels as (

    select
        contact_source_id || ':' || contact_id as conversation_key,
        label,
        value as label_value,
        labelled_by,
        labelled_at,
        -- Two sources may both note something: what was noted last holds.
        row_number() over (
            partition by contact_source_id, contact_id, label
            order by labelled_at desc nulls last, source_id asc
        ) as label_rank
    from {{ ref('stg_tabular__contact_label') }}

)

select
    conversation_key,
    label,
    label_value,
    labelled_by,
    labelled_at
from labels
where label_rank = 1
