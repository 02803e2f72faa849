with objects as (

    {{ config_versions('metric') }}

)

select
    object_id as metric_id,
    version as metric_version,
    valid_from,
    valid_to,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    {{ filled("body #>> '{formula, zh}'", 'zh', "'" ~ var("period_end") ~ "'::date") }} as formula_zh,
    {{ filled("body #>> '{formula, en}'", 'en', "'" ~ var("period_end") ~ "'::date") }} as formula_en,
    body ->> 'dimension' as dimension,
    body ->> 'kind' as kind,
    body ->> 'unit' as unit,
    body ->> 'direction' as direction,
    body ->> 'metric_type' as metric_type,
    body ->> 'reliability' as reliability,
    (body ->> 'scale')::numeric as scale,
    (body ->> 'quantile')::numeric as quantile,
    (body ->> 'min_n')::integer as min_n,
    (body ->> 'bounded')::boolean as is_bounded,
    coalesce(
        (body #>> '{row_range, 0}')::numeric,
        case when body ->> 'unit' <> 'score' or body ->> 'reliability' in ('rating', 'review') then 0 end
    ) as lowest,
    coalesce(
        (body #>> '{row_range, 1}')::numeric,
        case
            when (body ->> 'bounded')::boolean then 1
            when body ->> 'unit' = 'score' and body ->> 'reliability' in ('rating', 'review') then 100
        end
    ) as highest,
    (body ->> 'decimals')::integer as decimals,
    (body ->> 'display_order')::integer as display_order,
    (body ->> 'headline')::boolean as is_headline,
    body -> 'grains' as grains,
    body -> 'numerator' as numerator_measures,
    body -> 'denominator' as denominator_measures,
    case
        when jsonb_array_length(body -> 'count') > 0 then body -> 'count'
        when body ->> 'kind' in ('ratio', 'excess') then body -> 'denominator'
        else body -> 'numerator'
    end as count_measures,
    body -> 'units' as units,
    body -> 'channels' as channels,
    body -> 'needs' as needs,
    body -> 'targets' as targets
from objects
