"""Which rows each batch of a write carries, written down once more and without the package."""

import itertools


def batch_ranges(rows, chunksize, api_version, workers=1):
    """The ranges of rows of the batches of a write, in the order in which they are sent.

    Where replies count rows, a reply to another batch shows by its count, so that batches that follow each other on a
    connection must differ in size: from ``chunksize`` down, one more size than there are workers, and then from the
    beginning.
    """
    sizes = [chunksize]
    if api_version != "unversioned":
        sizes = [size for size in range(chunksize, chunksize - workers - 1, -1) if size > 0]
    ranges, start, following = [], 0, itertools.cycle(sizes)
    while start < rows:
        ranges.append((start, min(start + next(following), rows)))
        start = ranges[-1][1]
    return ranges
