"""Chinese as written in business: 6,480, in groups of three, as in English."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
