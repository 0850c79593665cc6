// How values are shown: numbers, times, names. Counts come as strings (64-bit integers in ProtoJSON).
import { el } from './dom.js';

const numberFormat = new Intl.NumberFormat();
const dateTimeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const segmenter = Intl.Segmenter ? new Intl.Segmenter() : null;

export const count = (value) => Number(value ?? 0);
export const formatNumber = (value) => numberFormat.format(value);
export const formatClock = (date) => clockFormat.format(date);
export const formatMinute = (date) => minuteFormat.format(date);
export const plural = (n, one, many) => `${formatNumber(n)} ${n === 1 ? one : many}`;

export function formatAge(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

// A <time> in the reader's zone whose title is the exact instant in UTC.
export function timeElement(rfc3339, format = (date) => dateTimeFormat.format(date)) {
  return el('time', { datetime: rfc3339, title: `${rfc3339} (UTC)` }, format(new Date(rfc3339)));
}

export const statuses = {
  USER_STATUS_ACTIVE: 'Active',
  USER_STATUS_INVITED: 'Invited',
  USER_STATUS_SUSPENDED: 'Suspended',
};

export function statusBadge(status) {
  const name = statuses[status] ? status.slice('USER_STATUS_'.length).toLowerCase() : 'unknown';
  return el('span', { class: `badge badge-${name}` }, statuses[status] ?? 'Unknown');
}

// The first visible characters of the first and the last word: not code units, so that names in
// every script survive.
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const chosen = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  const first = (word) => {
    const start = word.slice(word.search(/[\p{L}\p{N}]/u));
    return segmenter ? segmenter.segment(start)[Symbol.iterator]().next().value.segment : [...start][0];
  };
  return chosen.map(first).join('').toLocaleUpperCase() || '?';
}

export function avatar(user, large = false) {
  const element = el('span', { class: large ? 'avatar avatar-large' : 'avatar', 'aria-hidden': 'true' },
    initials(user.displayName ?? ''));
  let hash = 0;
  for (const char of user.id ?? '') hash = (hash * 31 + char.codePointAt(0)) % 360;
  element.dataset.hue = String(Math.floor(hash / 45));
  return element;
}

// As the directory's search compares: without case and accents.
const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

// The text with those beginnings of words marked that the query's words match.
export function highlight(text, query) {
  const wanted = fold(query).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const parts = [];
  for (const part of text.split(/([^\p{L}\p{N}\p{M}]+)/u)) {
    const hit = wanted.filter((word) => fold(part).startsWith(word)).sort((a, b) => b.length - a.length)[0];
    if (!hit) {
      parts.push(part);
      continue;
    }
    const chars = [...part];
    let length = 0;
    while (length < chars.length && fold(chars.slice(0, length).join('')).length < hit.length) length++;
    while (length < chars.length && /\p{M}/u.test(chars[length])) length++;
    parts.push(el('mark', {}, chars.slice(0, length).join('')), chars.slice(length).join(''));
  }
  return parts;
}
