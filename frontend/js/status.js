// The page's one status line, and short notices of what was done.
import { byId, el, setText } from './dom.js';
import { formatClock } from './format.js';

const problems = new Map();
let retryAll = [];

// What `source` (users, trends, events, live) has to complain about; null: nothing (any more).
export function report(source, problem) {
  if (problem) problems.set(source, problem);
  else problems.delete(source);
  render();
}

export function updatedNow() {
  byId('updated').textContent = `Updated ${formatClock(new Date())}`;
}

export function startStatus(retries) {
  retryAll = retries;
  byId('retry').addEventListener('click', () => retryAll.forEach((retry) => retry()));
  render();
}

function render() {
  const line = byId('status-line');
  const text = [...new Set(problems.values())].join(' ');
  line.dataset.state = problems.size ? 'problem' : 'fine';
  // The text is a live region: it only changes when the state does, never with the clock.
  setText(byId('status-text'), text || 'Live');
  byId('status-text').title = text;
  byId('retry').hidden = problems.size === 0;
  byId('updated').hidden = problems.size > 0;
}

let noticeTimer = null;

// What is outside an open dialog is inert, notices too: the box goes where the reader is. A live
// region is heard only when it is there before its text.
export function notify(text) {
  const box = byId('notice');
  box.replaceChildren();
  ([...document.querySelectorAll('dialog[open]')].pop() ?? document.body).append(box);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    box.replaceChildren(el('p', { class: 'notice' }, text));
    noticeTimer = setTimeout(() => box.replaceChildren(), 6_000);
  }, 50);
}
