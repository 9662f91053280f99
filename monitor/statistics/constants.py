"""Every constant of the method, in one place; none is fitted to a single data set."""

# Seasonal mean (step 2)
WEEKS_HOURLY = 4
WEEKS_DAILY = 8
WEEK_PSEUDO_EVENTS = 20.0
"""Added to a week's sum before it is compared with the median week, so that small slices are not scaled by noise."""
WEEK_FACTOR = (0.5, 2.0)
COUNTABLE = 10.0
"""Seasonal mean from which on the middle of the weeks is taken; below, the mean of capped values."""
BORROW_EVENTS = 100.0
"""A slice with this many events per place of the week weighs its own shape and the borrowed one alike."""

# Level (step 3)
LEVEL_PSEUDO_EVENTS = 20.0
LEVEL_CLIP = (0.4, 2.5)
LEVEL_RISE = 0.1
"""By how much more than noise a level may exceed the one of the days before it; not for daily data, whose level is
that of a week."""
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
TAIL_FAR = 0.001
"""Share of cells beyond the farthest quantile that the tail is fitted through."""
TAIL_FEWEST = 5.0
"""At least so many cells lie beyond it."""
TAIL_SHAPE = (0.05, 0.25)
"""Never exponential: what one class did not show in a month it may yet show."""
UNREST_TOLERANCE = 2.0
"""A slice may surprise this much more than the median of its class before it is damped."""
CALIBRATION_CLASSES = 5
CALIBRATION_MIN_CELLS = 1_000

# Counts held back where they are small (before step 2)
CUTOFF_LEAST = 10.0
"""Smallest count of a cutoff: below it a lack of small counts says nothing."""
CUTOFF_NEAR = 1.1
CUTOFF_SHARE = 0.01
"""So many of the counts must lie just above the cutoff (up to `CUTOFF_NEAR` times it), and as many cells be silent."""
CUTOFF_STRAY = 0.5
"""Counts below the cutoff, as a share of those just above it, that do not speak against it."""
CUTOFF_MIN_CELLS = 500

# Persistence and clearing (step 10)
OVERWHELMING_P = 1e-12
OVERWHELMING_RATIO = 0.3
OUTAGE_DAYS = 2
"""Overwhelming losses within so many days of history are one past outage; farther apart they are a habit."""
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
