{# The score a value earns on a plan's curve (reliability.md 5.1). `row` has curve_kind, is_falling, knots and bands.
   Outside its knots a piecewise curve keeps the points of its end; a limit two bands share belongs to the better one,
   which lies above it when more is better and below it when less is. NULL never enters a curve. #}
{% macro curve_score(value, row) -%}
    round(case
        when {{ value }} is null then null
        when {{ row }}.curve_kind = 'step'
            then (
                select (band ->> 'points')::numeric
                from jsonb_array_elements({{ row }}.bands) as band
                where
                    case
                        when {{ row }}.is_falling
                            then
                                (band ->> 'low' is null or {{ value }} > (band ->> 'low')::numeric)
                                and (band ->> 'high' is null or {{ value }} <= (band ->> 'high')::numeric)
                        else
                            (band ->> 'low' is null or {{ value }} >= (band ->> 'low')::numeric)
                            and (band ->> 'high' is null or {{ value }} < (band ->> 'high')::numeric)
                    end
            )
        else (
            select
                case
                    when {{ value }} <= min(knot.x) then min(knot.y) filter (where knot.is_first)
                    when {{ value }} >= max(knot.x) then max(knot.y) filter (where knot.is_last)
                    else max(
                        knot.y + (knot.next_y - knot.y) * ({{ value }} - knot.x) / (knot.next_x - knot.x)
                    ) filter (where {{ value }} >= knot.x and {{ value }} < knot.next_x)
                end
            from (
                select
                    points.x,
                    points.y,
                    lead(points.x) over (order by points.x) as next_x,
                    lead(points.y) over (order by points.x) as next_y,
                    row_number() over (order by points.x) = 1 as is_first,
                    row_number() over (order by points.x desc) = 1 as is_last
                from (
                    select
                        (entry ->> 0)::numeric as x,
                        (entry ->> 1)::numeric as y
                    from jsonb_array_elements({{ row }}.knots) as entry
                ) as points
            ) as knot
        )
    end, 10)
{%- endmacro %}
