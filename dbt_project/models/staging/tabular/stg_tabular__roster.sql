{{ current_rows(source('raw_tabular', 'roster'), [
    'employee_number',
    'shift_date',
    'start_time',
    'end_time',
    'break_seconds',
    'is_rest_day'
]) }}
