"""Where handlers run: sync ones on daemon threads, async ones in a loop on a thread of its own."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_JOIN = 5.0


class Workers:
    """At most `concurrency` handlers of each kind at once. Threads are daemons: a handler that hangs does not keep the process."""

    def __init__(self, concurrency: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"skald-{i}", daemon=True) for i in range(concurrency)]
        for thread in self._threads:
            thread.start()
        self.loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(concurrency)
        self._coroutines: set[asyncio.Task[Any]] = set()  # of the loop's thread alone; those of run_async
        self._loop_thread = threading.Thread(target=self.loop.run_forever, name="skald-loop", daemon=True)
        self._loop_thread.start()

    def run(self, task: Callable[[], None]) -> None:
        """Run task on a thread, when one is free. It must not raise."""
        self._tasks.put(task)

    def run_async(self, task: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Run task in the loop, when a slot is free."""

        async def slotted() -> T:
            own = asyncio.current_task()
            assert own is not None
            self._coroutines.add(own)
            own.add_done_callback(self._coroutines.discard)
            async with self._slots:
                return await task()

        return asyncio.run_coroutine_threadsafe(slotted(), self.loop)

    def cancel(self) -> None:
        """Cancel what run_async has started; the loop goes on."""

        def cancel() -> None:
            for task in list(self._coroutines):
                task.cancel()

        self.loop.call_soon_threadsafe(cancel)

    def close(self) -> None:
        """Stop the loop. Threads end with the process."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._loop_thread.join(_JOIN)
        if not self._loop_thread.is_alive():
            self.loop.close()

    def _work(self) -> None:
        while True:
            self._tasks.get()()
