// Events per minute as stacked bars. uPlot draws; the legend is ours, because its entries are
// buttons that work by keyboard: they take a kind out of the stack and put it back.
import uPlot from '../vendor/uplot.js';
import { byId, el, setText } from './dom.js';
import { formatMinute, formatNumber } from './format.js';
import { kinds } from './kinds.js';

const HEIGHT = 220;

// Answers {update(minutes)}; a minute is {time: Date, counts: number per kind, in kinds' order}.
export function startChart() {
  const box = byId('chart');
  const hidden = new Set();
  let minutes = [];
  let plot = null;

  const entries = kinds.map((kind, i) => {
    const value = el('span', { class: 'legend-value' }, '0');
    const swatch = el('span', { class: 'swatch', 'aria-hidden': 'true' });
    swatch.dataset.kind = kind.id;
    const button = el('button', { type: 'button', class: 'legend-entry', 'aria-pressed': 'true', onclick: () => toggle(i) },
      swatch, kind.name, ' ', value);
    return { button, value };
  });
  byId('legend').replaceChildren(...entries.map(({ button }) => el('li', {}, button)));

  function toggle(i) {
    if (hidden.has(i)) hidden.delete(i);
    else hidden.add(i);
    entries[i].button.setAttribute('aria-pressed', String(!hidden.has(i)));
    plot?.setData(stacked());
    showValues(null);
  }

  // uPlot draws series one over the other: first the sum of all kinds, last the lowest alone.
  function stacked() {
    const sums = [];
    let below = minutes.map(() => 0);
    kinds.forEach((kind, i) => {
      below = below.map((sum, m) => sum + (hidden.has(i) ? 0 : minutes[m].counts[i]));
      sums.unshift(below);
    });
    return [minutes.map(({ time }) => time.getTime() / 1000), ...sums];
  }

  // Without a minute under the pointer: the sums of the hour.
  function showValues(index) {
    const chosen = index === null || index === undefined ? minutes : [minutes[index]].filter(Boolean);
    kinds.forEach((kind, i) => {
      setText(entries[i].value, formatNumber(chosen.reduce((sum, minute) => sum + minute.counts[i], 0)));
    });
    setText(byId('legend-span'), chosen === minutes || !chosen.length ? 'Last 60 minutes' : `At ${formatMinute(chosen[0].time)}`);
  }

  function build() {
    plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = {
      font,
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const bars = uPlot.paths.bars({ size: [0.72, 18], radius: 0 });
    plot = new uPlot({
      width: box.clientWidth,
      height: HEIGHT,
      padding: [10, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { range: (_, min, max) => [min - 40, max + 40] },
        y: { range: (_, min, max) => [0, Math.max(4, Math.ceil((max ?? 0) * 1.08))] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 30, incrs: [300, 600, 900, 1200, 1800], values: (_, ticks) => ticks.map((tick) => formatMinute(new Date(tick * 1000))) },
        { ...axis, size: 44, space: 38, incrs: integerSteps(), values: (_, ticks) => ticks.map(formatNumber) },
      ],
      series: [{}, ...[...kinds].reverse().map((kind) => ({
        paths: bars,
        points: { show: false },
        width: 0,
        fill: colour(kind.colour),
      }))],
      hooks: { setCursor: [(self) => showValues(self.cursor.idx)] },
    }, stacked(), box);
  }

  const resize = new ResizeObserver(() => {
    if (plot && box.clientWidth) plot.setSize({ width: box.clientWidth, height: HEIGHT });
  });
  resize.observe(box);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot && build());

  return {
    update(next) {
      minutes = next;
      if (plot) plot.setData(stacked());
      else build();
      if (plot.cursor.idx === null || plot.cursor.idx === undefined) showValues(null);
    },
  };
}

function integerSteps() {
  const steps = [];
  for (let power = 1; power <= 1e9; power *= 10) steps.push(power, 2 * power, 5 * power);
  return steps;
}
