// The only way from the page to the gateway. Every request's headers are made in requestHeaders().
const TIMEOUT_MS = 15_000;

// What the gateway answered when it was not success (AIP-193), or that it could not be reached.
export class ApiError extends Error {
  constructor(httpStatus, error = {}, retryAfter = null) {
    super(error.message || (httpStatus === 0 ? 'The server is not reachable.' : `The server answered ${httpStatus}.`));
    this.name = 'ApiError';
    this.httpStatus = httpStatus;
    this.status = error.status ?? '';
    const details = Array.isArray(error.details) ? error.details : [];
    const ofType = (name) => details.filter((detail) => String(detail['@type']).endsWith(`/google.rpc.${name}`));
    this.reason = ofType('ErrorInfo')[0]?.reason ?? '';
    // [{field, description}], field as the request's message names it: user.email.
    this.fieldViolations = ofType('BadRequest').flatMap((detail) => detail.fieldViolations ?? []);
    this.retryAfterMs = retryAfter ? Number(retryAfter) * 1000 || 0 : 0;
  }

  // The same request may succeed later without anybody changing it.
  get isTemporary() {
    return this.httpStatus === 0 || this.httpStatus === 429 || this.httpStatus >= 500;
  }

  get isConflict() {
    return this.httpStatus === 412 || this.reason === 'ETAG_MISMATCH' || this.status === 'ABORTED';
  }
}

function requestHeaders({ body, ifMatch, idempotencyKey }) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (ifMatch) headers['If-Match'] = /^(W\/)?"/.test(ifMatch) ? ifMatch : `"${ifMatch}"`;
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey;
  return headers;
}

function withQuery(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.append(name, value);
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

// Answers the response's JSON (null when there is none) or throws an ApiError; an abort by `signal`
// throws its AbortError.
async function request(method, path, { query, signal, ...rest } = {}) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  const timer = setTimeout(abort, TIMEOUT_MS);
  try {
    const response = await fetch(withQuery(path, query), {
      method,
      headers: requestHeaders(rest),
      body: rest.body === undefined ? undefined : JSON.stringify(rest.body),
      signal: controller.signal,
      cache: 'no-store',
    });
    const text = await response.text();
    let json = null;
    try {
      json = text ? JSON.parse(text) : null;
    } catch {
      if (response.ok) throw new ApiError(502, { message: 'The server answered something that is not JSON.' });
    }
    if (!response.ok) throw new ApiError(response.status, json?.error, response.headers.get('Retry-After'));
    return json;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (signal?.aborted) throw new DOMException('Aborted', 'AbortError');
    throw new ApiError(0);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

const userPath = (id) => `/v1/users/${encodeURIComponent(id)}`;

export const users = {
  list: (pageSize, pageToken, signal) => request('GET', '/v1/users', { query: { pageSize, pageToken }, signal }),
  search: (query, pageSize, pageToken, signal) =>
    request('GET', '/v1/users:search', { query: { query, pageSize, pageToken }, signal }),
  get: (id, signal) => request('GET', userPath(id), { signal }),
  create: (user, idempotencyKey) => request('POST', '/v1/users', { body: user, idempotencyKey }),
  // Changes the fields that `changes` holds and nothing else.
  update: (id, changes, etag, idempotencyKey) =>
    request('PATCH', userPath(id), {
      query: { updateMask: Object.keys(changes).join(',') },
      body: changes,
      ifMatch: etag,
      idempotencyKey,
    }),
  remove: (id, etag, idempotencyKey) => request('DELETE', userPath(id), { ifMatch: etag, idempotencyKey }),
};

export const analytics = {
  timeSeries: (signal) => request('GET', '/v1/analytics/timeseries', { query: { granularity: 'GRANULARITY_MINUTE' }, signal }),
  topSearches: (withoutResult, limit, signal) =>
    request('GET', '/v1/analytics/searches:top', { query: { limit, withoutResult: withoutResult || undefined }, signal }),
  pipeline: (signal) => request('GET', '/v1/analytics/pipeline', { signal }),
  emitted: (signal) => request('GET', '/v1/events/emitted', { signal }),
  // An EventSource of TailEventsResponse messages; the caller closes it.
  tail: () => new EventSource('/v1/analytics/events:tail'),
};

// The Idempotency-Key of one submit: repeating the same content uses the same key, so that a
// request whose answer was lost is not carried out twice; other content gets a new one.
export class Submission {
  #content = null;
  #key = '';

  keyFor(content) {
    const text = JSON.stringify(content);
    if (text !== this.#content) {
      this.#content = text;
      this.#key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
    }
    return this.#key;
  }

  // A definite answer has come: the next submit is another one.
  settle() {
    this.#content = null;
  }
}
