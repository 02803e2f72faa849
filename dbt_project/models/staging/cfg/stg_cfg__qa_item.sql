with objects as (

    {{ config_versions('qa_item') }}

)

select
    objects.object_id as item_key,
    item.item_label,
    objects.body ->> 'group' as item_group,
    (objects.body ->> 'weight')::numeric as weight,
    objects.body ->> 'critical' as critical_kind,
    objects.valid_from,
    objects.valid_to
from objects
cross join lateral jsonb_array_elements_text(objects.body -> 'labels') as item (item_label)
