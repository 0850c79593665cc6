// Events as they are taken in. Drawn at most four times a second, however many come; paused by its
// button and while the page is hidden.
import { analytics } from './api.js';
import { byId, el, setText } from './dom.js';
import { nextTry, whyNotRead } from './failures.js';
import { formatClock, plural, timeElement } from './format.js';
import { kindById } from './kinds.js';
import { pauseAfter } from './poll.js';
import { report } from './status.js';
import { readTail } from './tail.js';

const ROWS = 8;
const DRAW_MS = 250;

export function startTicker() {
  const list = byId('ticker');
  const pause = byId('pause');
  let reading = null;
  let retry = null;
  let failures = 0;
  let paused = false;
  let waiting = []; // newest first, at most ROWS
  let skipped = 0;
  let drawTimer = null;

  async function connect() {
    disconnect();
    if (paused || document.hidden) return;
    const controller = new AbortController();
    reading = controller;
    try {
      await readTail(analytics.tail, { onOpen: opened, onMessage: take, signal: controller.signal });
    } catch (error) {
      failures += 1;
      const delay = failures > 1 || error.retryAfterMs ? pauseAfter(error, failures) : 500;
      // One lost connection is not worth a word.
      if (failures > 1) report('live', `${whyNotRead(error, 'Live events do not come')}; ${nextTry(delay)}`);
      retry = setTimeout(connect, delay);
    }
  }

  function opened() {
    failures = 0;
    report('live', null);
  }

  function disconnect() {
    clearTimeout(retry);
    reading?.abort();
    reading = null;
  }

  function take(text) {
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      return;
    }
    skipped += Number(answer.missed ?? 0);
    if (!answer.event) return;
    waiting.unshift(answer.event);
    if (waiting.length > ROWS) skipped += waiting.splice(ROWS).length;
    drawTimer ??= setTimeout(draw, DRAW_MS);
  }

  function draw() {
    drawTimer = null;
    list.prepend(...waiting.map(row));
    while (list.children.length > ROWS) list.lastChild.remove();
    byId('ticker-none').hidden = true;
    setText(byId('skipped'), skipped ? `${plural(skipped, 'event', 'events')} not shown` : '');
    waiting = [];
  }

  function row(event) {
    const kind = kindById.get(event.kind);
    const swatch = el('span', { class: 'swatch', 'aria-hidden': 'true' });
    swatch.dataset.kind = event.kind;
    const failed = Number(event.status ?? 0) !== 0;
    return el('li', { class: 'tick' }, swatch,
      el('span', { class: 'tick-text' }, kind?.says ?? 'Event', detail(event)),
      failed ? el('span', { class: 'badge badge-suspended' }, 'failed') : null,
      event.time ? timeElement(event.time, formatClock) : null);
  }

  function detail(event) {
    if (event.query) return el('span', { class: 'tick-detail' }, ' “', el('bdi', {}, event.query), '”');
    if (event.userId) return el('span', { class: 'tick-detail' }, ` ${event.userId}`);
    return null;
  }

  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    setText(pause, paused ? 'Resume' : 'Pause');
    if (paused) report('live', null);
    connect();
  });
  document.addEventListener('visibilitychange', connect);
  addEventListener('pagehide', disconnect);
  connect();
  return { reconnect: connect };
}
