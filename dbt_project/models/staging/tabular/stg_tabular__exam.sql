{{ current_rows(source('raw_tabular', 'exam'), [
    'employee_number',
    'exam_name',
    'sitting',
    'exam_date',
    'makes_up_for',
    'score',
    'absence_reason'
]) }}
