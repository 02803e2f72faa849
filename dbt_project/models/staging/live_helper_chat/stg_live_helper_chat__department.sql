{{ current_rows(source('raw_live_helper_chat', 'department'), [
    'department_id',
    'name',
    'identifier'
]) }}
