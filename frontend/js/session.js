// Who is signed in, and what calls to the API carry for that: the page's key and a token. The
// protocol (authorization code with PKCE, refresh tokens) is oidc-client-ts's. Tokens are kept for
// this tab only, and renewed a little before they expire or when the API refuses them.
const RENEW_BEFORE_S = 30;
const NOTE = 'omnidata.note'; // what the page has to say when it is back from the provider

let config = {};
let manager = null;
let user = null;
let renewing = null;
const listeners = new Set();
const leaving = new Set();

const pageAddress = () => `${location.origin}${location.pathname}`;

// Takes up the session of this tab, or the answer that the provider has sent the reader back with.
// Answers a text for the reader, or null.
export async function startSession(loaded) {
  config = loaded;
  if (!config.signIn) return null;
  const { authority, clientId, scope, resource } = config.signIn;
  const { UserManager, WebStorageStateStore } = await import('../vendor/oidc-client.js');
  const store = new WebStorageStateStore({ store: sessionStorage });
  manager = new UserManager({
    authority,
    client_id: clientId,
    redirect_uri: pageAddress(),
    post_logout_redirect_uri: pageAddress(),
    response_type: 'code',
    scope,
    resource,
    userStore: store,
    stateStore: store,
    automaticSilentRenew: false, // ours knows refusals of the API too
    accessTokenExpiringNotificationTimeInSeconds: RENEW_BEFORE_S,
  });
  manager.events.addUserLoaded((loadedUser) => change(loadedUser));
  manager.events.addUserUnloaded(() => change(null));
  for (const due of ['addAccessTokenExpiring', 'addAccessTokenExpired']) manager.events[due](() => renew().catch(() => {}));
  const note = sessionStorage.getItem(NOTE);
  sessionStorage.removeItem(NOTE);
  const answer = new URLSearchParams(location.search);
  if (answer.has('state') && (answer.has('code') || answer.has('error'))) return finishSignIn();
  user = await manager.getUser();
  return note;
}

async function finishSignIn() {
  try {
    user = await manager.signinRedirectCallback();
    history.replaceState(null, '', location.pathname + (user.state?.hash ?? ''));
    return null;
  } catch (error) {
    // The answer is spent, whatever it was; reloading the page must not bring it up again.
    history.replaceState(null, '', location.pathname + (error.state?.hash ?? ''));
    user = await manager.getUser();
    if (user) return null;
    if (error.error === 'access_denied') return 'Sign-in was cancelled.';
    return `Sign-in did not work: ${error.message} Try again.`;
  }
}

function change(next) {
  user = next;
  for (const listener of listeners) listener();
}

// Calls `listener` whenever somebody is signed in or out, or the token is a new one.
export const onSessionChange = (listener) => listeners.add(listener);

// Calls `keep` before the reader leaves for the provider: what was typed must outlive the page.
export const onLeaving = (keep) => leaving.add(keep);

export const canSignIn = () => manager !== null;
export const isSignedIn = () => user !== null;

// A page without sign-in leaves it to the API to say no.
export const mayTryToWrite = () => manager === null || user !== null;

// {issuer, subject, name, scopes} of who is signed in, or null.
export function whoIsSignedIn() {
  if (!user) return null;
  const { iss, sub, name, given_name: given, email, 'cognito:username': username } = user.profile;
  return {
    issuer: iss,
    subject: sub,
    name: name || given || email || username || sub,
    email: email ?? '',
    scopes: user.scopes,
  };
}

// The headers that say who calls. A token that is known to have expired is renewed first, or left
// out: reading needs none.
export async function credentials() {
  if (user?.expired) await renew().catch(() => {});
  const headers = {};
  if (config.apiKey) headers['X-API-Key'] = config.apiKey;
  if (user && !user.expired) headers.Authorization = `Bearer ${config.signIn.token === 'id' ? user.id_token : user.access_token}`;
  return headers;
}

// A new token by the refresh token, one request for all who ask. Without success: when the provider
// says that the session is over, nobody is signed in any more; when it cannot be reached, it throws.
export function renew() {
  renewing ??= tryToRenew().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function tryToRenew() {
  if (!user) return;
  if (!user.refresh_token) {
    await manager.removeUser();
    return;
  }
  try {
    await manager.signinSilent();
  } catch (error) {
    if (error.name !== 'ErrorResponse') throw error;
    await manager.removeUser();
  }
}

// Nobody is signed in any more, as far as this page is concerned.
export const forgetSession = () => manager.removeUser();

// Leaves the page for the provider's, and comes back to the same address. Throws when the provider
// cannot be reached: then the reader is still here.
export async function signIn() {
  for (const keep of leaving) keep();
  await manager.signinRedirect({ state: { hash: location.hash } });
}

export async function signOut() {
  sessionStorage.setItem(NOTE, 'You are signed out.');
  const template = config.signIn.signOut;
  if (template) {
    await manager.removeUser();
    location.assign(template.replace('{page}', encodeURIComponent(pageAddress())));
    return;
  }
  try {
    await manager.signoutRedirect();
  } catch (error) {
    // The tokens are gone from here, and that is what can be done.
    sessionStorage.removeItem(NOTE);
    await manager.removeUser();
    throw error;
  }
}
