{{ current_rows(source('raw_tabular', 'shift_schedule'), [
    'shift_name',
    'weekday',
    'start_time',
    'end_time',
    'is_night',
    'minimum_seconds'
]) }}
