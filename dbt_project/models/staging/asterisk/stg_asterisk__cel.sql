{{ current_rows(source('raw_asterisk', 'cel'), [
    'cel_id',
    'event_type',
    'event_at',
    'context',
    'exten',
    'channel_name',
    'app_name',
    'uniqueid',
    'linkedid',
    'peer'
]) }}
