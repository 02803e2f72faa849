with objects as (

    {{ current_config('training_rule') }}

)

select
    objects.object_id as rule_id,
    metrics.metric_id,
    signals.signal,
    objects.body #>> '{course, zh}' as course_zh,
    objects.body #>> '{course, en}' as course_en,
    objects.body #>> '{gain, zh}' as gain_zh,
    objects.body #>> '{gain, en}' as gain_en
from objects
cross join lateral jsonb_array_elements_text(objects.body -> 'metric_ids') as metrics (metric_id)
cross join lateral jsonb_array_elements_text(objects.body -> 'signals') as signals (signal)
