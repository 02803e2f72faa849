{{ moves('version', rows=['source_id', 'chat_id', 'message_id'], key=['source_id', 'chat_id'], is_number=true) }}

{{ current_rows(source('raw_live_helper_chat', 'message'), [
    'message_id',
    'chat_id',
    'sent_at',
    'user_id',
    'author_kind',
    'is_whisper',
    'event_type',
    'event_actor',
    'event_target',
    'text_length'
]) }}
