{{ current_rows(source('raw_tabular', 'employee'), [
    'employee_number',
    'display_name',
    'role',
    'manager_number',
    'hire_date',
    'exit_date',
    'is_active',
    'email_key',
    'phone_key'
]) }}
