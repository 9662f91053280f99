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
"""So many of the counts must lie just above the cutoff (up to `CUTOFF_NEAR` times it), and as many come back from silence."""
CUTOFF_REACH = 1.5
"""Half of those that come back must hold no more than this times the cutoff: an outage ends at any count."""
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
ONSET_DOUBT = 1.0
"""Nats by which a later start of a loss may explain it less well than an earlier one."""
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

# Holidays and planned events
OCCASION_ALPHA = 0.1
"""Added dispersion of a day that is expected to do as another kind of day, or as somebody planned: give or take 30 %."""
UNJUDGED_SHARE = 0.5
"""A slice of which at least this share of what is expected lies in events of unknown effect is unknown itself."""

# Other detectors
FORECAST_SLICES = 200
"""Slices that stl and ets judge at most: a refit takes seconds, not hours."""
STL_WEEKS = 25
"""Weeks that the season is smoothed over: with a lookback of four it hardly changes from one to the next."""

# Accepted changes
ACCEPTED_RATIO_MAX = 50.0
"""Earlier counts are scaled by no more: beyond it a slice is new, and learns as a new one does."""

# Localization
HOMOGENEITY = 0.3
"""Share of an element's score by which its leaves may differ from each other beyond their noise."""
STOP_Z = 6.0
"""Standard deviations, beyond what the number of elements asks for, at which an explanation stands clear of chance."""
SIBLING_LEAST = 0.2
"""An element joins another of its cuboid if it scores at least this share of the other's score."""
SET_DISCOUNT = 0.7
"""What a set of elements is worth, for each element beyond the first: a simple answer is the likelier one."""
NEARLY_ALL = 0.9
"""Share of a whole's expected events with which parts are told as the whole."""
MOST_EXPLANATIONS = 50
OUTSIDE_LEAST = 1e-6
"""Share of everything below which the outside of an element says nothing."""
RATIO_CAP = 10.0
NOISE_LEAVES = 20
"""Leaves from which on their own scatter is measured."""
LEAST_NOISE = 1e-6
LEAST_RATE = 1e-4
"""Rates nearer to 0 or 1 are not told from it."""
MEDIAN_CHI2 = 0.455
"""Median of chi-square with one degree of freedom."""
CUBE_CELLS = 20_000_000
"""Leaves times cuboids up to which causes may name every dimension; beyond, up to CAUSE_DIMENSIONS."""
CUBE_SPARSE = 5
"""Fewer than one leaf in so many are taken out of a cube one by one, more by summing it anew."""
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
ARRIVAL_DOUBT = 0.15
"""Relative error, per relative shortfall, of a share that was just learned; its square falls with the days of reads,
and is gone after `ARRIVAL_DAYS`."""
ARRIVED_LEAST = 0.05
"""Of a share below this nothing is concluded about the whole."""
WATERMARK_WEEKS = 2
WATERMARK_EVENTS = 20.0
"""A source is called behind only where at least so many past weeks each had so many events by the same time."""
ARRIVAL_UNKNOWN = 0.25
"""Relative error of what is there before any bucket was read twice: total losses are told, partial ones wait."""

# A cause within another one that is open
PARTLY = 0.1
"""What has less than this share of its events is lost as a whole: nothing within it is worse."""
TOGETHER = 1
"""Causes whose first buckets lie no farther apart are taken to have begun together."""
