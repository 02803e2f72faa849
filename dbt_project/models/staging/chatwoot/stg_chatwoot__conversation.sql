{{ moves('version', rows=['source_id', 'conversation_id'], key=['source_id', 'conversation_id'], is_number=true) }}

{{ current_rows(source('raw_chatwoot', 'conversation'), [
    'conversation_id',
    'status',
    'inbox_id',
    'started_at',
    'last_activity_at',
    'first_reply_at',
    'assignee_id',
    'team_id',
    'customer_id',
    'labels',
    'phone_key',
    'phone_kind',
    'email_key'
]) }}
