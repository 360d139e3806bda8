"""Which rows each batch of a write carries, written down once more and without the package."""

import itertools


def batch_ranges(rows, chunksize, api_version, workers=1):
    """Return the ranges of rows of the batches of a write, in the order in which they are sent.

    Where replies count rows, a reply to another batch shows by its count, so that batches that follow each other on a
    connection must differ in size: from ``chunksize`` down, one more size than there are workers, and then from the
    beginning.
    """
    sizes = [chunksize]
    if api_version != "unversioned":
        sizes = [size for size in range(chunksize, chunksize - workers - 1, -1) if size > 0]
    ranges, start, following = [], 0, itertools.cycle(sizes)
    while start < rows:
        stop = min(start + next(following), rows)
        ranges.append((start, stop))
        start = stop
    return ranges


def rows_of_batches(batches, chunksize, api_version, workers=1):
    """How many rows fill exactly so many batches."""
    return batch_ranges(batches * chunksize, chunksize, api_version, workers)[batches - 1][1]
