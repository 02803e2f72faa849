{{ current_rows(source('raw_chatwoot', 'agent'), [
    'agent_id',
    'name',
    'email_key'
]) }}
