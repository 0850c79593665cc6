// Live trends: the chart with its table, the top searches, and where the events are. Two polls, so
// that what the user service knows (emitted, waiting) still moves when analytics is away.
import { analytics as api } from './api.js';
import { startChart } from './chart.js';
import { byId, el, setText } from './dom.js';
import { nextTry, whyNotRead } from './failures.js';
import { count, formatMinute, formatNumber, plural } from './format.js';
import { kinds } from './kinds.js';
import { startPipeline } from './pipeline.js';
import { startPolling } from './poll.js';
import { report, updatedNow } from './status.js';

const TOP = 8;

export function startTrends(onSearch) {
  const chart = startChart();
  const pipeline = startPipeline();
  const table = byId('chart-table');
  let minutes = [];

  async function pollTrends(signal) {
    const results = await Promise.allSettled([
      api.timeSeries(signal).then((answer) => showSeries(answer.points ?? [])),
      api.topSearches(false, TOP, signal).then((answer) => showSearches('top-searches', answer)),
      api.topSearches(true, TOP, signal).then((answer) => showSearches('empty-searches', answer)),
      api.pipeline(signal).then(pipeline.showPipeline),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  const failure = (source, text) => (error, delay) =>
    report(source, `${whyNotRead(error, text)}; ${nextTry(delay)}`);
  const pollers = [
    startPolling(pollTrends, {
      onSuccess: () => {
        report('trends', null);
        updatedNow();
        document.body.dataset.trends = 'fresh';
      },
      onFailure: (...how) => {
        failure('trends', 'Analytics does not answer')(...how);
        document.body.dataset.trends = 'stale';
      },
    }),
    startPolling(async (signal) => pipeline.showEmitted(await api.emitted(signal)), {
      onSuccess: () => report('events', null),
      onFailure: failure('events', 'The event counts do not come'),
    }),
  ];

  function showSeries(points) {
    minutes = points.slice(-60).map((point) => {
      const byKind = new Map((point.kinds ?? []).map((kind) => [kind.kind, count(kind.count)]));
      return {
        time: new Date(point.time),
        events: count(point.events),
        failures: count(point.failures),
        counts: kinds.map((kind) => byKind.get(kind.id) ?? 0),
      };
    });
    chart.update(minutes);
    const events = minutes.reduce((sum, minute) => sum + minute.events, 0);
    const failures = minutes.reduce((sum, minute) => sum + minute.failures, 0);
    const peak = minutes.reduce((best, minute) => (minute.events > (best?.events ?? 0) ? minute : best), null);
    setText(byId('chart-summary'), events
      ? `${plural(events, 'event', 'events')} in the last hour, ${failures ? formatNumber(failures) : 'none'} failed; the most in a minute: ${formatNumber(peak.events)} at ${formatMinute(peak.time)}.`
      : 'No events in the last hour.');
    if (table.open) showTable();
  }

  // The chart's numbers for those who cannot see it: the minutes that have events.
  function showTable() {
    const rows = minutes.filter((minute) => minute.events).reverse().map((minute) => el('tr', {},
      el('th', { scope: 'row' }, formatMinute(minute.time)),
      ...[...minute.counts, minute.events, minute.failures].map((n) => el('td', {}, formatNumber(n)))));
    byId('chart-rows').replaceChildren(...rows);
  }
  table.addEventListener('toggle', () => table.open && showTable());
  byId('chart-heads').replaceChildren(...['Minute', ...kinds.map((kind) => kind.name), 'All', 'Failed']
    .map((name) => el('th', { scope: 'col' }, name)));

  // Rows are changed in place: whoever stands on one with the keyboard keeps standing there.
  function showSearches(id, answer) {
    const list = byId(id);
    const searches = answer.searches ?? [];
    const most = Math.max(1, ...searches.map((search) => count(search.count)));
    while (list.children.length > searches.length) list.lastChild.remove();
    while (list.children.length < searches.length) list.append(searchRow(onSearch));
    searches.forEach((search, i) => fillSearchRow(list.children[i], search, most));
    byId(`${id}-none`).hidden = searches.length > 0;
    const total = count(answer.total);
    setText(byId(`${id}-total`), total ? `${formatNumber(total)} in 24 h` : '');
  }

  return { reload: () => pollers.forEach((poll) => poll()) };
}

function searchRow(onSearch) {
  const text = el('span', { class: 'search-text', dir: 'auto' });
  return el('li', {},
    el('button', { type: 'button', class: 'search-bar', onclick: () => onSearch(text.textContent) },
      el('span', { class: 'bar', 'aria-hidden': 'true' }),
      text,
      el('span', { class: 'search-count' }, el('span', {}), el('small'))));
}

function fillSearchRow(row, search, most) {
  const [bar, text, counted] = row.firstChild.children;
  const [number, uncertain] = counted.children;
  const n = count(search.count);
  const error = count(search.maxError);
  bar.style.setProperty('--share', String(n / most));
  setText(text, search.query ?? '');
  setText(number, formatNumber(n));
  setText(uncertain, error ? ` ±${formatNumber(error)}` : '');
  uncertain.title = error ? `Counted at most ${formatNumber(error)} too often` : '';
  row.firstChild.title = `Search for “${search.query ?? ''}”`;
}
