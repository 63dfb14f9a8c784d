"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE.

`default` keeps the timed suite short, `ci` tries the same examples every time, `slow` searches longer, `hunt` finds failures fast and does not shrink them.
"""

import os

from hypothesis import HealthCheck, Phase, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile("default", max_examples=40, deadline=None, suppress_health_check=QUIET)
settings.register_profile("slow", max_examples=2_000, deadline=None, suppress_health_check=QUIET)
settings.register_profile(
    "hunt",
    max_examples=300,
    deadline=None,
    suppress_health_check=QUIET,
    phases=[Phase.explicit, Phase.generate],
)
# A gate must not fall by chance: in CI the same examples are tried every time; new ones are hunted elsewhere.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
