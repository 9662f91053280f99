"""Every constant of the method, in one place; none is fitted to a single data set."""

# Seasonal mean (step 2)
WEEKS_HOURLY = 4
WEEKS_DAILY = 8
WEEK_PSEUDO_EVENTS = 20.0
"""Added to a week's sum before it is compared with the median week, so that small slices are not scaled by noise."""
WEEK_FACTOR = (0.5, 2.0)
COUNTABLE = 10.0
"""Seasonal mean from which on the middle of the weeks is taken; below, the mean of capped values."""
BORROW_EVENTS = 40.0
"""A slice with this many events per place of the week weighs its own shape and the borrowed one alike."""

# Level (step 3)
LEVEL_PSEUDO_EVENTS = 20.0
LEVEL_CLIP = (0.4, 2.5)
LEVEL_HOURS = 48
LEVEL_DAYS = 7

# Common mode (step 4)
COMMON_MIN_SLICES = 8
COMMON_MIN_EXPECTED = 20.0
COMMON_CLIP = (0.3, 3.0)
"""Beyond it the whole is one event: no slice is contrasted with it, the total speaks alone."""

# Dispersion (step 5)
ALPHA_MAX = 4.0
POOL_STRENGTH = 28.0
POOL_CLASSES = 20

# Calibration (step 7)
TAIL_QUANTILE = 0.99
TAIL_SHAPE = (0.05, 0.25)
"""Never exponential: what one class did not show in a month it may yet show."""
UNREST_TOLERANCE = 1.5
"""A slice may surprise this much more than the median of its class before it is damped."""
CALIBRATION_CLASSES = 5
CALIBRATION_MIN_CELLS = 1_000

# Persistence and clearing (step 10)
OVERWHELMING_P = 1e-12
OVERWHELMING_RATIO = 0.3
LONG_BUCKET_SECONDS = 6 * 3600
LONG_BUCKET_MARGIN = 2.3
"""Nats beyond the threshold (a factor of ten) with which one bucket of at least six hours is evidence enough."""
CLEAR_MISS_P = 0.01
CLEAR_COMPATIBLE_P = 0.01

# Cold start
STAGE_DAYS = (2, 14, 28)
COLD_ALPHA = 0.5
"""Added dispersion while the week is not yet known."""

LEARNING_DAYS = 14
"""A slice born within the history is judged, and teaches about noise, from this age on."""
ESTABLISHED_DAYS = 7
"""Slices seen within the first days of the history count as older than it."""

# Localization
HOMOGENEITY = 0.3
STOP_FRACTION = 0.01
STOP_Z = 6.0
SAME_CELLS = 0.995
CAUSE_DIMENSIONS = 3
MOVED_SHARE = 0.8
RENAMED_SHARE = 0.8

# Late data (step 11)
ARRIVAL_DAYS = 14
"""Days of reads after which the curves of arrival count as learned; they are learned from twice as many at most."""
ARRIVAL_BORROW_EVENTS = 40.0
"""A slice with this many events weighs its own share and that of the slice above alike."""
ARRIVAL_DAYS_FOR_WORST = 5
"""From this many days on each slice's worst one is left out."""
ARRIVAL_DOUBT = 0.25
"""Relative error, per relative shortfall, of a share that was just learned; its square falls with the days of reads,
and is gone after `ARRIVAL_DAYS`."""
ARRIVED_LEAST = 0.05
"""Of a share below this nothing is concluded about the whole."""
WATERMARK_WEEKS = 2
WATERMARK_EVENTS = 20.0
"""A source is called behind only where at least so many past weeks each had so many events by the same time."""
ARRIVAL_UNKNOWN = 0.25
"""Relative error of what is there before any bucket was read twice: total losses are told, partial ones wait."""
