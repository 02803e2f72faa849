{{ moves(key=['source_id', 'callid']) }}

{{ current_rows(source('raw_asterisk', 'queue_log'), [
    'event_at',
    'second_ordinal',
    'callid',
    'queue_name',
    'agent',
    'event',
    'data1',
    'data2',
    'data3',
    'data4',
    'data5',
    'caller_key',
    'caller_kind'
]) }}
