"""The row ranges of the batches of a write, computed without the package."""

import itertools


def batch_ranges(rows, chunksize, api_version, workers=1):
    """Return the row ranges of the batches of a write, in the order in which they are sent.

    Where replies count rows, the count shows whether a reply belongs to another batch. For this, consecutive batches on
    a connection differ in size: the sizes go down from ``chunksize``, one more size than there are workers, and then
    start again.
    """
    sizes = [chunksize]
    if api_version != "unversioned":
        sizes = [size for size in range(chunksize, chunksize - workers - 1, -1) if size > 0]
    ranges, start, next_sizes = [], 0, itertools.cycle(sizes)
    while start < rows:
        stop = min(start + next(next_sizes), rows)
        ranges.append((start, stop))
        start = stop
    return ranges


def rows_of_batches(batches, chunksize, api_version, workers=1):
    """Return the number of rows that fill exactly ``batches`` batches."""
    return batch_ranges(batches * chunksize, chunksize, api_version, workers)[batches - 1][1]
