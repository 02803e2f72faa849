with objects as (

    {{ config_versions('calendar') }}

),

holidays as (

    select
        objects.object_id as calendar_id,
        objects.valid_from,
        objects.valid_to,
        coalesce(holiday.body ->> 'date', holiday.body ->> 'from')::date as first_date,
        coalesce(holiday.body ->> 'date', holiday.body ->> 'to')::date as last_date,
        holiday.body #>> '{name, zh}' as name_zh,
        holiday.body #>> '{name, en}' as name_en
    from objects
    cross join lateral jsonb_array_elements(objects.body -> 'holidays') as holiday (body)

),

days as (

    select
        holidays.calendar_id,
        holidays.valid_from,
        holidays.valid_to,
        listed.midnight::date as calendar_date,
        'holiday' as day_kind,
        holidays.name_zh,
        holidays.name_en
    from holidays
    cross join
        lateral
        generate_series(holidays.first_date, holidays.last_date, interval '1 day') as listed (midnight)

    union all

    select
        objects.object_id as calendar_id,
        objects.valid_from,
        objects.valid_to,
        listed.day_text::date as calendar_date,
        'make_up' as day_kind,
        null as name_zh,
        null as name_en
    from objects
    cross join lateral jsonb_array_elements_text(objects.body -> 'make_up_days') as listed (day_text)

)

select
    calendar_id,
    calendar_date,
    day_kind,
    name_zh,
    name_en
from days
where calendar_date between valid_from and valid_to
