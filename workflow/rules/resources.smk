# What jobs ask a cluster for.

# Minutes. A job that asks for more than its partition allows would wait for ever; few allow less.
DAY = 24 * 60


def doubling(amount, *, at_most=math.inf):
    """Return a function for `resources`: the amount at first, then twice as much each attempt."""

    def of_attempt(wildcards, attempt):
        return min(amount * 2 ** (attempt - 1), at_most)

    return of_attempt
