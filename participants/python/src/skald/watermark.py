"""Which offset of a partition may be committed."""

import threading
from collections import OrderedDict


class Watermark:
    """Follows the records of one partition: an offset may be committed once it and all before it are finished."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, bool] = OrderedDict()  # guarded by _lock; offset: finished
        self._next: int | None = None  # guarded by _lock; None: nothing new to commit

    def take(self, offset: int) -> None:
        """Register the next offset."""
        with self._lock:
            self._pending[offset] = False

    def finish(self, offset: int) -> None:
        """Note that offset is done with."""
        with self._lock:
            if offset not in self._pending:
                return
            self._pending[offset] = True
            while self._pending:
                first, done = next(iter(self._pending.items()))
                if not done:
                    break
                del self._pending[first]
                self._next = first + 1

    def moved(self) -> int | None:
        """The offset to commit (the next to be read) if it moved since the last call."""
        with self._lock:
            offset, self._next = self._next, None
            return offset
