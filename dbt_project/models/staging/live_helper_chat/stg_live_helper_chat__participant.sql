{{ moves('version', rows=['source_id', 'chat_id', 'participant_id'], key=['source_id', 'chat_id'], is_number=true) }}

{{ current_rows(source('raw_live_helper_chat', 'participant'), [
    'participant_id',
    'chat_id',
    'user_id',
    'chat_started_at',
    'department_id'
]) }}
