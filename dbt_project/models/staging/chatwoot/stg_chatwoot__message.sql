{{ moves(
    'version', rows=['source_id', 'conversation_id', 'message_id'], key=['source_id', 'conversation_id'], is_number=true
) }}

{{ current_rows(source('raw_chatwoot', 'message'), [
    'message_id',
    'conversation_id',
    'sent_at',
    'content_type',
    'author_kind',
    'is_private',
    'sender_id',
    'event_type',
    'event_actor',
    'event_target',
    'event_team',
    'text_length'
]) }}
