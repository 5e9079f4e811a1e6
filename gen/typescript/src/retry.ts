const longestWait = 60_000;

/**
 * Repeats a request that the server did not take: 429, 503, a 409 that says when to come back (the first request with this
 * Idempotency-Key is still at work), or no answer at all. A PATCH is repeated only after 429: the others may have taken effect, and
 * its If-Match would then fail.
 */
export function retryingFetch(fetchOnce: typeof fetch, maxRetries: number): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (request.method === 'POST' && !request.headers.get('Idempotency-Key')) {
      request.headers.set('Idempotency-Key', crypto.randomUUID());
    }
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= maxRetries;
      let response: Response | undefined;
      try {
        response = await fetchOnce(last ? request : request.clone());
      } catch (error) {
        if (last || request.method === 'PATCH' || request.signal.aborted) throw error;
      }
      if (response && (last || !worthRepeating(request, response))) return response;
      const wait = waitFor(response, attempt);
      if (response && wait > longestWait) return response;
      await response?.body?.cancel();
      await pause(wait, request.signal);
    }
  };
}

function worthRepeating(request: Request, response: Response): boolean {
  if (response.status === 429) return true;
  if (request.method === 'PATCH') return false;
  return response.status === 503 || (response.status === 409 && response.headers.has('Retry-After'));
}

/** Milliseconds: what Retry-After says (seconds or a date), else a quarter of a second doubled each time, with jitter. */
function waitFor(response: Response | undefined, attempt: number): number {
  const header = response?.headers.get('Retry-After');
  if (header) {
    const seconds = Number(header);
    const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
    if (Number.isFinite(wait)) return Math.max(0, wait);
  }
  return 250 * 2 ** attempt * (0.5 + Math.random() / 2);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
