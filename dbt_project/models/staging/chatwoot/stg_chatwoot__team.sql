{{ current_rows(source('raw_chatwoot', 'team'), [
    'team_id',
    'name'
]) }}
