// The sheet at the side: one user's details, and the form that creates or changes one. The address
// of an open user is #/users/{id}, so it can be shared and the back button closes it.
import { leaveToSignIn } from './account.js';
import { ApiError, Submission, users as api } from './api.js';
import { byId, el, setText } from './dom.js';
import { readDraft, startDrafts } from './draft.js';
import { whyNotDone, whyNotRead } from './failures.js';
import { addLabel, changesFrom, clearErrors, fillForm, formText, readForm, showErrors, withoutEmpty, writeForm } from './form.js';
import { avatar, statusBadge, timeElement } from './format.js';
import { askToDelete } from './remove.js';
import { mayTryToWrite, onSessionChange, whoIsSignedIn } from './session.js';
import { notify } from './status.js';

const CONFLICT = 'Somebody else changed this user in the meantime, so nothing was saved. Reload to see the current version, then make your change again.';

const ADMIN = 'admin'; // the scope that may change everybody; Cognito's say omnidata/admin

export function startSheet({ onChange }) {
  const dialog = byId('sheet');
  const form = byId('user-form');
  const problem = byId('sheet-problem');
  const submission = new Submission();
  let user = null; // the user that is shown or edited; null: a new one
  let loading = null;
  let saving = false;

  // --- views: loading, detail, form, gate ---------------------------------------------------------------

  function show(view, title) {
    dialog.dataset.view = view;
    setText(byId('sheet-title'), title);
    byId('detail').hidden = view !== 'detail';
    form.hidden = view !== 'form';
    byId('sheet-loading').hidden = view !== 'loading';
    byId('sheet-gate').hidden = view !== 'gate';
    showProblem('');
    if (!dialog.open) dialog.showModal();
  }

  function showProblem(text, { reload = false, signIn = false } = {}) {
    problem.hidden = text === '';
    setText(byId('sheet-problem-text'), text);
    byId('sheet-reload').hidden = !reload;
    byId('sheet-sign-in').hidden = !signIn;
    if (text) problem.scrollIntoView({ block: 'nearest' });
  }

  async function load(id, then = showDetail) {
    loading?.abort();
    const controller = new AbortController();
    loading = controller;
    user = { id };
    show('loading', 'User');
    try {
      const found = await api.get(id, controller.signal);
      if (controller.signal.aborted) return;
      user = found;
      then();
    } catch (error) {
      if (controller.signal.aborted) return;
      byId('sheet-loading').hidden = true;
      const gone = error.httpStatus === 404;
      showProblem(gone ? 'This user does not exist (any more).' : `${whyNotRead(error, error.message.replace(/\.$/, ''))}.`, { reload: !gone });
      if (gone) onChange();
    }
  }

  function showDetail() {
    show('detail', 'User');
    byId('detail-head').replaceChildren(avatar(user, true),
      el('div', { class: 'detail-who' },
        el('p', { class: 'detail-name', dir: 'auto' }, user.displayName ?? ''),
        el('a', { class: 'detail-email', href: `mailto:${encodeURIComponent(user.email ?? '').replace('%40', '@')}` }, user.email ?? ''),
        statusBadge(user.status)));
    const labels = Object.entries(user.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const facts = [
      ['Given name', user.givenName && el('span', { dir: 'auto' }, user.givenName)],
      ['Family name', user.familyName && el('span', { dir: 'auto' }, user.familyName)],
      ['Labels', labels.length > 0 && el('ul', { class: 'chips' }, ...labels.map(([key, value]) =>
        el('li', { class: 'chip' }, el('b', {}, key), value ? ` ${value}` : '')))],
      ['Created', user.createTime && timeElement(user.createTime)],
      ['Changed', user.updateTime && timeElement(user.updateTime)],
      ['Created by', user.owner?.subject && `${user.owner.subject} (${user.owner.issuer ?? ''})`],
      ['Id', el('code', {}, user.id)],
    ];
    byId('facts').replaceChildren(...facts.filter(([, value]) => value)
      .map(([name, value]) => el('div', { class: 'fact' }, el('dt', {}, name), el('dd', {}, value))));
    showWhatMayBeDone();
    byId(mayTryToWrite() ? 'edit' : 'detail-sign-in').focus();
  }

  // The API decides; this only spares the reader a form that would be refused.
  function showWhatMayBeDone() {
    const who = whoIsSignedIn();
    const isOwner = who && user?.owner?.issuer === who.issuer && user.owner.subject === who.subject;
    byId('detail-actions').hidden = !mayTryToWrite();
    byId('detail-gate').hidden = mayTryToWrite();
    byId('not-yours').hidden = !who || isOwner || who.scopes.some((scope) => scope.split('/').pop() === ADMIN);
  }

  function showForm() {
    if (!mayTryToWrite()) {
      show('gate', user ? 'Edit user' : 'New user');
      byId('gate-sign-in').focus();
      return;
    }
    openForm(() => fillForm(user ?? {}));
  }

  function openForm(fill) {
    fill();
    submission.settle();
    show('form', user ? 'Edit user' : 'New user');
    setText(byId('save'), user ? 'Save changes' : 'Create user');
    byId('field-displayName').focus();
  }

  // --- saving -------------------------------------------------------------------------------------

  async function save() {
    if (saving) return;
    clearErrors();
    showProblem('');
    const wanted = readForm();
    if (!wanted) return;
    const content = user ? changesFrom(user, wanted) : withoutEmpty(wanted);
    if (user && Object.keys(content).length === 0) {
      showDetail();
      notify('Nothing was changed.');
      return;
    }
    setSaving(true);
    try {
      const key = submission.keyFor([user?.id ?? null, user?.etag ?? null, content]);
      const created = !user;
      user = created ? await api.create(content, key) : await api.update(user.id, content, user.etag, key);
      submission.settle();
      setSaving(false);
      setAddress(user.id);
      showDetail();
      notify(created ? `${user.displayName} was created.` : `${user.displayName} was saved.`);
      onChange();
    } catch (error) {
      setSaving(false);
      if (!(error instanceof ApiError)) throw error;
      showFailure(error);
    }
  }

  function showFailure(error) {
    if (error.isTemporary) {
      showProblem(`${whyNotDone(error)} Nothing is lost.`);
      return;
    }
    submission.settle();
    if (error.needsSignIn || error.isForbidden) {
      showRefusal(error);
      return;
    }
    if (error.isConflict) {
      showProblem(CONFLICT, { reload: true });
      byId('sheet-reload').focus();
      return;
    }
    const violations = error.fieldViolations.length || error.reason !== 'EMAIL_TAKEN'
      ? error.fieldViolations
      : [{ field: 'user.email', description: 'Another user has this email address.' }];
    const others = showErrors(violations);
    if (others.length || violations.length === 0) showProblem(others.join(' ') || error.message);
    if (error.httpStatus === 404) onChange();
  }

  function showRefusal(error) {
    showProblem(whyNotDone(error), { signIn: error.needsSignIn });
    if (error.needsSignIn) byId('sheet-sign-in').focus();
  }

  // Back from the provider with what stood in the form when the reader left.
  function takeUpDraft(draft) {
    user = draft.user;
    openForm(() => (draft.text ? writeForm(draft.text) : fillForm(user ?? {})));
  }

  function setSaving(value) {
    saving = value;
    byId('save').setAttribute('aria-disabled', String(value));
    form.setAttribute('aria-busy', String(value));
  }

  // --- address, closing ---------------------------------------------------------------------------

  function setAddress(id) {
    const hash = id ? `#/users/${encodeURIComponent(id)}` : '';
    if (location.hash === hash) return;
    const address = location.pathname + location.search + hash;
    if (location.hash) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
  }

  function followAddress() {
    const match = /^#\/users\/(.+)$/.exec(location.hash);
    if (match) load(decodeURIComponent(match[1]));
    else if (dialog.open) dialog.close();
  }

  dialog.addEventListener('close', () => {
    loading?.abort();
    user = null;
    if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  });
  // Escape in the form of an existing user goes back to its details first.
  dialog.addEventListener('cancel', (event) => {
    if (dialog.dataset.view !== 'form' || !user) return;
    event.preventDefault();
    showDetail();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && dialog.dataset.view !== 'form') dialog.close();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    save();
  });
  byId('sheet-close').addEventListener('click', () => dialog.close());
  byId('cancel').addEventListener('click', () => (user ? showDetail() : dialog.close()));
  byId('sheet-reload').addEventListener('click', () => load(user.id, dialog.dataset.view === 'form' ? showForm : showDetail));
  byId('add-label').addEventListener('click', () => addLabel().focus());
  byId('edit').addEventListener('click', showForm);
  byId('new-user').addEventListener('click', () => {
    user = null;
    showForm();
  });
  for (const id of ['sheet-sign-in', 'detail-sign-in', 'gate-sign-in']) byId(id).addEventListener('click', leaveToSignIn);
  onSessionChange(() => {
    if (dialog.open && dialog.dataset.view === 'detail') showWhatMayBeDone();
  });
  byId('delete').addEventListener('click', () => askToDelete(user, {
    onReload: () => load(user.id),
    onRefused: showRefusal,
    onGone: (text) => {
      dialog.close();
      notify(text);
      onChange();
    },
  }));
  addEventListener('hashchange', followAddress);
  startDrafts(() => {
    if (!dialog.open || !['form', 'gate'].includes(dialog.dataset.view)) return null;
    return { user, text: dialog.dataset.view === 'form' ? formText() : null };
  });
  const draft = readDraft();
  if (draft && (draft.text || mayTryToWrite())) takeUpDraft(draft);
  else if (location.hash) followAddress();

  return {
    open: (id) => {
      setAddress(id);
      load(id);
    },
  };
}
