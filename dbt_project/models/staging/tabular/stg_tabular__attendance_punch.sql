{{ current_rows(source('raw_tabular', 'attendance_punch'), [
    'punch_id',
    'employee_number',
    'attendance_date',
    'in_at',
    'out_at'
]) }}
