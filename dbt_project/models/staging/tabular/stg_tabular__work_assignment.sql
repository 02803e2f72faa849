{{ current_rows(source('raw_tabular', 'work_assignment'), [
    'employee_number',
    'valid_from',
    'shift_name',
    'department',
    'manager_number'
]) }}
