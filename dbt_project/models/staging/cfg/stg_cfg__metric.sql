with versions as (

    select * from {{ ref('stg_cfg__metric_version') }}

)

select
    metric_id,
    metric_version,
    valid_from,
    valid_to,
    name_zh,
    name_en,
    formula_zh,
    formula_en,
    dimension,
    kind,
    unit,
    direction,
    metric_type,
    reliability,
    scale,
    quantile,
    min_n,
    is_bounded,
    lowest,
    highest,
    decimals,
    display_order,
    is_headline,
    grains,
    numerator_measures,
    denominator_measures,
    count_measures,
    units,
    channels,
    needs,
    targets
from versions
where '{{ var("period_start") }}'::date between valid_from and valid_to
