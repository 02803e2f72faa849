{{ current_rows(source('raw_tabular', 'leave_request'), [
    'leave_id',
    'employee_number',
    'start_date',
    'end_date',
    'start_part',
    'end_part',
    'leave_type',
    'is_paid',
    'status',
    'requested_on'
]) }}
