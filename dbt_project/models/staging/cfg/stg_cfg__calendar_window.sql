with objects as (

    {{ config_versions('calendar') }}

),

windows as (

    select
        objects.object_id as calendar_id,
        objects.valid_from,
        objects.valid_to,
        listed_day.number_text::integer as day_of_week,
        listed.body
    from objects
    cross join lateral jsonb_array_elements(objects.body -> 'service_windows') as listed (body)
    cross join lateral jsonb_array_elements_text(listed.body -> 'weekdays') as listed_day (number_text)

    union all

    select
        objects.object_id as calendar_id,
        objects.valid_from,
        objects.valid_to,
        null as day_of_week,
        listed.body
    from objects
    cross join lateral jsonb_array_elements(objects.body -> 'holiday_windows') as listed (body)

)

select
    calendar_id,
    valid_from,
    valid_to,
    day_of_week,
    (body ->> 'start')::time as start_time,
    (body ->> 'end')::time as end_time,
    (body ->> 'end')::time <= (body ->> 'start')::time as ends_next_day
from windows
