{{ moves(
    'version', rows=['source_id', 'conversation_id', 'csat_response_id'], key=['source_id', 'conversation_id'],
    is_number=true
) }}

{{ current_rows(source('raw_chatwoot', 'csat_response'), [
    'csat_response_id',
    'conversation_id',
    'message_id',
    'rating',
    'assignee_id',
    'answered_at'
]) }}
