{{ current_rows(source('raw_chatwoot', 'inbox'), [
    'inbox_id',
    'name'
]) }}
