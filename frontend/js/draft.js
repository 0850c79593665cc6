// What was typed into the form outlives the way to the sign-in and back: it is kept in this tab's
// storage when the reader leaves, and taken out once.
import { onLeaving } from './session.js';

const KEY = 'omnidata.draft';

// current() answers what is to be kept: {user, text}, or null.
export function startDrafts(current) {
  onLeaving(() => {
    const draft = current();
    if (draft) sessionStorage.setItem(KEY, JSON.stringify(draft));
    else sessionStorage.removeItem(KEY);
  });
  // Back by the browser's button, to the page as it was: nothing has to be restored later.
  addEventListener('pageshow', (event) => event.persisted && sessionStorage.removeItem(KEY));
}

export function readDraft() {
  const text = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return text ? JSON.parse(text) : null;
}
