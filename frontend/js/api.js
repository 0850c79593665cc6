// The only way from the page to the gateway. Every request's headers are made in requestHeaders();
// who calls is session.js's to say.
import { credentials, forgetSession, isSignedIn, renew } from './session.js';

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
    this.hadToken = false; // the call carried a token, and this is what came of it
  }

  // The same request may succeed later without anybody changing it.
  get isTemporary() {
    return this.httpStatus === 0 || this.httpStatus === 429 || this.httpStatus >= 500;
  }

  // A limit of the key, the reader or the address is used up.
  get isLimit() {
    return this.httpStatus === 429;
  }

  // Nobody is signed in, or not any more.
  get needsSignIn() {
    return this.httpStatus === 401;
  }

  // Not this reader, or not this page's key.
  get isForbidden() {
    return this.httpStatus === 403;
  }

  get isConflict() {
    return this.httpStatus === 412 || this.reason === 'ETAG_MISMATCH' || this.status === 'ABORTED';
  }
}

async function requestHeaders({ body, ifMatch, idempotencyKey, accept = 'application/json' }) {
  const headers = { Accept: accept, ...await credentials() };
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

// A refused token is renewed once. When the session turns out to be over, reading goes on without.
// What was refused was not carried out, so that writes can be sent again too.
async function withRenewal(method, attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!error.needsSignIn || !error.hadToken) throw error;
    try {
      await renew();
    } catch {
      throw error; // the provider does not answer: the session may be good or over
    }
    if (isSignedIn()) {
      try {
        return await attempt();
      } catch (again) {
        if (!again.needsSignIn || !again.hadToken) throw again;
        await forgetSession(); // a new token is refused too
      }
    }
    if (method !== 'GET') throw error;
    return attempt();
  }
}

async function failureOf(response, hadToken) {
  let json = null;
  try {
    json = JSON.parse(await response.text());
  } catch {
    // A failure without a body that can be read is a failure all the same.
  }
  const error = new ApiError(response.status, json?.error, response.headers.get('Retry-After'));
  error.hadToken = hadToken;
  return error;
}

async function send(method, path, { signal, ...rest }) {
  const headers = await requestHeaders(rest);
  const response = await fetch(path, {
    method,
    headers,
    body: rest.body === undefined ? undefined : JSON.stringify(rest.body),
    signal,
    cache: 'no-store',
  });
  if (!response.ok) throw await failureOf(response, 'Authorization' in headers);
  return response;
}

async function readJson(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(502, { message: 'The server answered something that is not JSON.' });
  }
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
    return await withRenewal(method, async () =>
      readJson(await send(method, withQuery(path, query), { ...rest, signal: controller.signal })));
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (signal?.aborted) throw new DOMException('Aborted', 'AbortError');
    throw new ApiError(0);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

// A response that goes on for ever (tail.js reads it); throws an ApiError unless it begins well.
export function open(path, signal) {
  return withRenewal('GET', () => send('GET', path, { signal, accept: 'text/event-stream' }));
}

// How a stream failed that had begun: `text` is the server's last word, or null.
export function callFailed(text) {
  try {
    const { error } = JSON.parse(text);
    return new ApiError(error.code, error);
  } catch {
    return new ApiError(0);
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
  tail: '/v1/analytics/events:tail', // of TailEventsResponse messages, see tail.js
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
