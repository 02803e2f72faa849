{# The rows of an input of a unit test. PostgreSQL itself reads them by the types of the relation: dbt's own macro writes
   a cast for every cell and asks the information schema for every input. Columns that are not given are NULL. #}
{% macro get_fixture_sql(rows, column_name_to_data_types) -%}
    {%- set types = {} -%}
    {%- for row in run_query(
        "select attname, format_type(atttypid, null) from pg_attribute where attrelid = '" ~ this
        ~ "'::regclass and attnum > 0 and not attisdropped"
    ) -%}
        {%- do types.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- set given = [] -%}
    {%- for row in rows -%}
        {%- set cells = {} -%}
        {%- for column, value in row.items() -%}
            {%- if column not in types -%}
                {%- do exceptions.raise_compiler_error(
                    'unit test of ' ~ model.name ~ ': found the column ' ~ column ~ ' in a row, expected one of '
                    ~ types.keys() | join(', ')
                ) -%}
            {%- endif -%}
            {%- if value is string and types[column] in ('json', 'jsonb') -%}
                {%- do cells.update({column: fromjson(value)}) -%}
            {%- elif value is none or value is boolean or value is number -%}
                {%- do cells.update({column: value}) -%}
            {%- else -%}
                {%- do cells.update({column: value | string}) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do given.append(cells) -%}
    {%- endfor -%}
    select * from jsonb_populate_recordset(null::{{ this }}, $fixture${{ tojson(given) }}$fixture$)
{%- endmacro %}

{# dbt's own asks the information schema, which joins the whole catalogue. #}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            attname as column_name,
            format_type(atttypid, null) as data_type,
            null::integer as character_maximum_length,
            null::integer as numeric_precision,
            null::integer as numeric_scale
        from pg_attribute
        where attrelid = to_regclass('{{ relation.include(database=False) }}') and attnum > 0 and not attisdropped
        order by attnum
    {% endcall %}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
