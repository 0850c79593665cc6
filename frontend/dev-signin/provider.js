// The OpenID Connect provider, as oidc-provider is told to be one: authorization code with PKCE
// for pages, a password grant for command lines, access tokens that are JWTs for one audience.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider, { errors, interactionPolicy } from 'oidc-provider';
import { claimsOf } from './accounts.js';
import { endPage, errorPage, signOutPage } from './views.js';
import { adapterOf } from './store.js';

const API = 'urn:omnidata:api'; // the resource (RFC 8707)
export const AUDIENCE = 'omnidata'; // what its tokens say in `aud`
export const PAGE_CLIENT = 'omnidata-page';
export const CLI_CLIENT = 'omnidata-cli';

function makeSecrets() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    cookieKey: randomBytes(32).toString('base64url'),
  };
}

function clients(pages) {
  return [
    {
      client_id: PAGE_CLIENT,
      client_name: 'OmniData',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: pages.map((page) => `${page}/`),
      post_logout_redirect_uris: pages.map((page) => `${page}/`),
    },
    {
      client_id: CLI_CLIENT,
      token_endpoint_auth_method: 'none',
      grant_types: ['password'],
      response_types: [],
      redirect_uris: [],
    },
  ];
}

// Nobody is asked for consent: the only clients are this project's own.
function signInOnly() {
  const policy = interactionPolicy.base();
  policy.remove('consent');
  return policy;
}

export function makeProvider(issuer, settings, accounts, store) {
  const secrets = store.secrets(makeSecrets);
  const allScopes = [...new Set(accounts.all.flatMap(({ scopes }) => scopes))];

  // What was asked for and the account has not is left out of the token, as OAuth allows.
  async function grantFor(provider, account, clientId) {
    const grant = new provider.Grant({ accountId: account.id, clientId });
    grant.addOIDCScope('openid profile email');
    grant.addResourceScope(API, account.scopes.join(' '));
    await grant.save();
    return grant;
  }

  const resourceServer = {
    scope: allScopes.join(' '),
    audience: AUDIENCE,
    accessTokenFormat: 'jwt',
    accessTokenTTL: settings.accessTtl,
    jwt: { sign: { alg: 'RS256' } },
  };

  const provider = new Provider(issuer, {
    adapter: adapterOf(store),
    clients: clients(settings.pages),
    jwks: secrets.jwks,
    cookies: { keys: [secrets.cookieKey], names: { session: '_signin', interaction: '_signin_step', resume: '_signin_resume' } },
    scopes: ['openid', 'profile', 'email'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name'],
    },
    conformIdTokenClaims: false, // the page reads the name from the ID token
    responseTypes: ['code'],
    pkce: { required: () => true },
    ttl: {
      AccessToken: settings.accessTtl,
      AuthorizationCode: 60,
      Interaction: 3600,
      IdToken: settings.accessTtl,
      Session: settings.refreshTtl,
      Grant: settings.refreshTtl,
      RefreshToken: settings.refreshTtl,
    },
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    clientBasedCORS: (_, origin) => settings.pages.includes(origin),
    interactions: { policy: signInOnly(), url: (_, interaction) => `/sign-in/${interaction.uid}` },
    async findAccount(_, id) {
      const account = accounts.byId(id);
      return account && { accountId: id, claims: () => claimsOf(account) };
    },
    async loadExistingGrant(ctx) {
      const account = accounts.byId(ctx.oidc.session.accountId);
      return account && grantFor(ctx.oidc.provider, account, ctx.oidc.client.clientId);
    },
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: signOutPage, postLogoutSuccessSource: endPage },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        useGrantedResource: () => true,
        getResourceServerInfo(_, indicator) {
          if (indicator !== API) throw new errors.InvalidTarget();
          return resourceServer;
        },
      },
    },
  });

  // For curl: a token for a name and a password, without a browser. OAuth 2.1 has dropped this
  // grant, for good reasons; here the passwords are public and everything is on one machine.
  provider.registerGrantType('password', async (ctx, next) => {
    const { params, client } = ctx.oidc;
    const account = accounts.check(params.username, params.password);
    if (!account) throw new errors.InvalidGrant('unknown address or wrong password');
    const grant = await grantFor(provider, account, client.clientId);
    const wanted = new Set(params.scope ? params.scope.split(' ') : allScopes);
    const token = new provider.AccessToken({ accountId: account.id, client, grantId: grant.jti, gty: 'password' });
    token.resourceServer = new provider.ResourceServer(API, resourceServer);
    token.scope = grant.getResourceScopeFiltered(API, wanted);
    ctx.body = {
      access_token: await token.save(),
      expires_in: token.expiration,
      token_type: token.tokenType,
      scope: token.scope,
    };
    await next();
  }, ['username', 'password', 'scope']);

  return provider;
}
