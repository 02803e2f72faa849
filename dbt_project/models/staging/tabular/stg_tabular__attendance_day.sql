{{ current_rows(source('raw_tabular', 'attendance_day'), [
    'attendance_id',
    'employee_number',
    'attendance_date',
    'shift_name',
    'required_seconds',
    'worked_seconds'
]) }}
