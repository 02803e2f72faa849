{{ moves('version', rows=['source_id', 'chat_id'], key=['source_id', 'chat_id'], is_number=true) }}

{{ current_rows(source('raw_live_helper_chat', 'chat'), [
    'chat_id',
    'status',
    'status_sub',
    'status_sub_sub',
    'started_at',
    'pending_at',
    'closed_at',
    'visitor_closed_at',
    'last_user_message_at',
    'user_id',
    'department_id',
    'wait_seconds',
    'chat_duration_seconds',
    'first_response_seconds',
    'average_response_seconds',
    'maximum_response_seconds',
    'thumbs',
    'bot_id',
    'phone_key',
    'phone_kind',
    'email_key'
]) }}
