// The list of users and the search in it. Focus stays in the search field (or the list); the arrow
// keys move the active row, Enter opens it (the combobox pattern of ARIA).
import { ApiError, users as api } from './api.js';
import { byId, el, setText } from './dom.js';
import { nextTry, whyNotRead } from './failures.js';
import { avatar, highlight, plural, statusBadge } from './format.js';
import { pauseAfter } from './poll.js';
import { report } from './status.js';

const DEBOUNCE_MS = 150;
const PAGE_SIZE = 25;

export function startDirectory(onOpen) {
  const input = byId('search');
  const list = byId('users');
  const more = byId('more');
  const summary = byId('result-count');
  const empty = byId('no-users');

  let query = '';
  let answered = null; // the query that the rows belong to
  let shown = [];
  let nextPageToken = '';
  let active = -1;
  let loading = null;
  let debounce = null;
  let retry = null;
  let failures = 0;

  // Loads the first page of `query`, or the next page; a newer load ends an older one.
  async function load({ append = false, keepActive = false } = {}) {
    clearTimeout(debounce);
    clearTimeout(retry);
    loading?.abort();
    const controller = new AbortController();
    loading = controller;
    list.setAttribute('aria-busy', 'true');
    const token = append ? nextPageToken : '';
    const size = keepActive ? Math.max(PAGE_SIZE, shown.length) : PAGE_SIZE;
    const activeId = keepActive ? shown[active]?.id : undefined;
    try {
      const page = query
        ? await api.search(query, size, token, controller.signal)
        : await api.list(size, token, controller.signal);
      if (controller.signal.aborted) return;
      failures = 0;
      answered = query;
      report('users', null);
      input.removeAttribute('aria-invalid');
      const found = page?.users ?? [];
      nextPageToken = page?.nextPageToken ?? '';
      shown = append ? shown.concat(found) : found;
      render(append ? shown.length - found.length : 0);
      setActive(activeId ? shown.findIndex((user) => user.id === activeId) : append ? active : -1);
      if (!append && !keepActive) list.scrollTop = 0;
    } catch (error) {
      if (controller.signal.aborted) return;
      showFailure(error, () => load({ append, keepActive }));
    } finally {
      if (loading === controller) {
        loading = null;
        list.removeAttribute('aria-busy');
      }
    }
  }

  function showFailure(error, again) {
    answered = null;
    const refused = error.needsSignIn || error.isForbidden;
    if (error instanceof ApiError && !error.isTemporary && !refused) {
      // The query itself is refused: too long, too many words.
      input.setAttribute('aria-invalid', 'true');
      setText(summary, error.fieldViolations[0]?.description ?? error.message);
      return;
    }
    failures += 1;
    const delay = pauseAfter(error, failures);
    report('users', `${whyNotRead(error, 'The directory does not answer')}; ${nextTry(delay)}`);
    if (shown.length === 0) setText(summary, refused ? 'Users cannot be read.' : 'No users yet; trying again.');
    retry = setTimeout(again, delay);
  }

  function row(user, index) {
    return el('li', { class: 'user', role: 'option', id: `user-${index}`, 'aria-selected': 'false' },
      avatar(user),
      el('span', { class: 'user-text' },
        el('span', { class: 'user-name', dir: 'auto', title: user.displayName }, ...highlight(user.displayName ?? '', query)),
        el('span', { class: 'user-email', title: user.email }, ...highlight(user.email ?? '', query))),
      statusBadge(user.status));
  }

  function render(from) {
    const rows = shown.slice(from).map((user, i) => row(user, from + i));
    if (from === 0) list.replaceChildren(...rows);
    else list.append(...rows);
    list.hidden = shown.length === 0;
    more.hidden = nextPageToken === '';
    empty.hidden = shown.length > 0;
    setText(byId('no-users-title'), query ? `No user found for “${query}”` : 'No users yet');
    setText(byId('no-users-hint'), query
      ? 'Search looks at the beginnings of words in names and email addresses; accents and case do not matter.'
      : 'Create the first one with “New user”.');
    setText(summary, describe());
  }

  function describe() {
    if (shown.length === 0) return query ? 'No user found' : 'No users yet';
    if (nextPageToken) return query ? `${plural(shown.length, 'user', 'users')} shown, more found` : `${plural(shown.length, 'user', 'users')} shown, more to come`;
    return query ? `${plural(shown.length, 'user', 'users')} found` : `All ${plural(shown.length, 'user', 'users')}`;
  }

  function setActive(index) {
    list.children[active]?.setAttribute('aria-selected', 'false');
    active = index >= 0 && index < shown.length ? index : -1;
    const option = list.children[active];
    for (const owner of [input, list]) {
      if (option) owner.setAttribute('aria-activedescendant', option.id);
      else owner.removeAttribute('aria-activedescendant');
    }
    if (!option) return;
    option.setAttribute('aria-selected', 'true');
    option.scrollIntoView({ block: 'nearest' });
  }

  function open(index) {
    setActive(index);
    if (shown[index]) onOpen(shown[index].id);
  }

  function onKey(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = shown.length - 1;
    switch (event.key) {
      case 'ArrowDown':
        if (active === last && nextPageToken && !loading) load({ append: true }).then(() => setActive(last + 1));
        else setActive(Math.min(active + 1, last));
        break;
      case 'ArrowUp':
        setActive(Math.max(active - 1, event.currentTarget === input ? -1 : 0));
        break;
      case 'Enter':
        if (active >= 0) open(active);
        else startSearch();
        break;
      case 'Escape':
        if (event.currentTarget !== input || !input.value) return;
        input.value = '';
        startSearch();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  function startSearch() {
    clearTimeout(debounce);
    const wanted = input.value.trim().replace(/\s+/gu, ' ');
    if (wanted === query && (loading || wanted === answered)) return;
    query = wanted;
    load();
  }

  input.addEventListener('input', () => {
    clearTimeout(debounce);
    debounce = setTimeout(startSearch, DEBOUNCE_MS);
  });
  input.addEventListener('keydown', onKey);
  list.addEventListener('keydown', onKey);
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]');
    if (option) open([...list.children].indexOf(option));
  });
  more.addEventListener('click', async () => {
    const first = shown.length;
    await load({ append: true });
    list.focus({ preventScroll: true });
    setActive(first);
  });
  byId('search-form').addEventListener('submit', (event) => event.preventDefault());
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.target.closest('input, select, textarea, dialog')) return;
    event.preventDefault();
    input.focus();
  });

  load();
  return {
    reload: () => load({ keepActive: true }),
    search: (text) => {
      input.value = text;
      input.focus();
      startSearch();
    },
  };
}
