{{ current_rows(source('raw_tabular', 'team_assignment'), [
    'employee_number',
    'team_key',
    'valid_from',
    'valid_to',
    'known_from'
]) }}
