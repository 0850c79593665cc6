// The question before a user is deleted.
import { ApiError, Submission, users as api } from './api.js';
import { byId, setText } from './dom.js';
import { whyNotDone } from './failures.js';

// onGone(text): the user is deleted, by us or by somebody else. onReload: the reader wants to see
// the version that is in the way. onRefused(error): the reader has to sign in, or may not do this.
export function askToDelete(user, { onGone, onReload, onRefused }) {
  const dialog = byId('confirm');
  const problem = byId('confirm-problem');
  const remove = byId('confirm-delete');
  const reload = byId('confirm-reload');
  const submission = new Submission();
  const closed = new AbortController(); // ends the listeners below
  let busy = false;

  setText(byId('confirm-title'), `Delete ${user.displayName}?`);
  setText(byId('confirm-text'), `${user.email} is removed from the directory. This cannot be undone.`);
  setText(problem, '');
  reload.hidden = true;
  remove.hidden = false;

  async function carryOut() {
    if (busy) return;
    busy = true;
    remove.setAttribute('aria-disabled', 'true');
    try {
      await api.remove(user.id, user.etag, submission.keyFor([user.id, user.etag]));
      finish(() => onGone(`${user.displayName} was deleted.`));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.httpStatus === 404) finish(() => onGone(`${user.displayName} had been deleted already.`));
      else if (error.needsSignIn || error.isForbidden) finish(() => onRefused(error));
      else showFailure(error);
    } finally {
      busy = false;
      remove.setAttribute('aria-disabled', 'false');
    }
  }

  function showFailure(error) {
    setText(problem, error.isConflict
      ? 'Somebody else changed this user in the meantime, so it was not deleted. Reload to see the current version.'
      : whyNotDone(error));
    remove.hidden = error.isConflict;
    reload.hidden = !error.isConflict;
    if (error.isConflict) reload.focus();
  }

  function finish(then) {
    dialog.close();
    then();
  }

  const { signal } = closed;
  remove.addEventListener('click', carryOut, { signal });
  reload.addEventListener('click', () => finish(onReload), { signal });
  byId('confirm-cancel').addEventListener('click', () => dialog.close(), { signal });
  dialog.addEventListener('close', () => closed.abort(), { signal });
  dialog.showModal();
  byId('confirm-cancel').focus();
}
