// What a deployment tells the page, from /config.json:
//
//   {"apiKey": "…",                           sent with every call; public, as the page is
//    "signIn": {"authority": "https://…",     the issuer, as its discovery document says it
//               "clientId": "…", "scope": "openid email profile users.write",
//               "resource": "…",              (optional) RFC 8707, where the provider wants it
//               "token": "access" | "id",     (optional) which token the API is called with
//               "signOut": "https://…?client_id=…&logout_uri={page}"}}
//
// signOut is for providers whose discovery names no end_session_endpoint or whose endpoint wants
// other parameters (Cognito, Auth0); {page} is the page's address. What is left out the page goes
// without; the file that is built with the page says nothing at all.
export async function loadConfig() {
  const response = await fetch('config.json', { cache: 'no-cache' });
  if (!response.ok) throw new Error(`/config.json: the server answered ${response.status}.`);
  const config = await response.json();
  const { signIn } = config;
  if (signIn) {
    const missing = ['authority', 'clientId', 'scope'].filter((name) => typeof signIn[name] !== 'string' || !signIn[name]);
    if (missing.length) throw new Error(`/config.json: signIn has no ${missing.join(', no ')}.`);
    if (!['access', 'id', undefined].includes(signIn.token)) throw new Error('/config.json: signIn.token is "access" or "id".');
  }
  return config;
}
