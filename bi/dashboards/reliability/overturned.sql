-- One row per person whose scores were disputed and decided about, over all periods.
select
    rater_overturn.rater_key,
    rater_overturn.rater_name,
    rater_overturn.disputes,
    rater_overturn.overturned,
    rater_overturn.overturn_share,
    rater_overturn.mean_days_to_decide
from pub_operations.rater_overturn
