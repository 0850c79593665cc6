// Repeats a task while the page is visible, and more and more rarely while it fails.
const INTERVAL_MS = 5_000;
const LONGEST_MS = 60_000;
const AT_MOST_MS = 3_600_000;

// task(signal) resolves or throws. onFailure(error, nextMs) and onSuccess() tell how it went.
// Answers a function that runs the task at once.
export function startPolling(task, { onSuccess = () => {}, onFailure = () => {} } = {}) {
  let timer = null;
  let running = null;
  let failures = 0;

  async function run() {
    clearTimeout(timer);
    timer = null;
    running?.abort();
    const controller = new AbortController();
    running = controller;
    let delay = INTERVAL_MS;
    try {
      await task(controller.signal);
      if (controller.signal.aborted) return;
      failures = 0;
      onSuccess();
    } catch (error) {
      if (controller.signal.aborted) return;
      failures += 1;
      delay = pauseAfter(error, failures);
      onFailure(error, delay);
    }
    running = null;
    if (!document.hidden) timer = setTimeout(run, delay);
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      clearTimeout(timer);
      running?.abort();
      running = null;
    } else {
      run();
    }
  });
  if (!document.hidden) run();
  return run;
}

// As long as the server has asked for, but a quota may run for a month: there are better plans by then.
export function pauseAfter(error, failures) {
  return Math.min(Math.max(backoff(failures), error.retryAfterMs ?? 0), AT_MOST_MS);
}

// 5 s, 10 s, 20 s, ... with jitter, so that many pages do not come back at the same moment.
export function backoff(failures) {
  const delay = Math.min(INTERVAL_MS * 2 ** (failures - 1), LONGEST_MS);
  return delay * (0.8 + 0.4 * Math.random());
}
