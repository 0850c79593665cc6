// Who is signed in, at the top of the page.
import { byId, setText } from './dom.js';
import { initials } from './format.js';
import { canSignIn, onSessionChange, signIn, signOut, whoIsSignedIn } from './session.js';
import { notify } from './status.js';

// For every button that leads to the provider.
export async function leaveToSignIn() {
  try {
    await signIn();
  } catch {
    notify('The sign-in does not answer; try again in a moment.');
  }
}

async function leaveToSignOut() {
  try {
    await signOut();
  } catch {
    notify('You are signed out here. The sign-in itself did not answer: it may still know you.');
  }
}

export function startAccount() {
  const box = byId('account');

  function render() {
    const who = whoIsSignedIn();
    box.hidden = !canSignIn();
    byId('sign-in').hidden = who !== null;
    byId('who').hidden = who === null;
    if (!who) return;
    setText(byId('who-initials'), initials(who.name));
    setText(byId('who-name'), who.name);
    byId('who-name').title = who.email;
  }

  byId('sign-in').addEventListener('click', leaveToSignIn);
  byId('sign-out').addEventListener('click', leaveToSignOut);
  onSessionChange(render);
  render();
}
