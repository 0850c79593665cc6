// A sign-in for development: an OpenID Connect provider (oidc-provider) with demo accounts, so that
// `make run` has all of sign-in that a deployment has, without an account anywhere. It listens on
// loopback only and keeps keys and sessions in its data folder: a restart signs nobody out.
//
//   node main.js --listen=localhost:9400 --data-dir=data/signin --pages=http://localhost:8080
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Accounts } from './accounts.js';
import { makeProvider } from './provider.js';
import { help, isLoopback, readSettings } from './settings.js';
import { Store } from './store.js';
import { lostPage, POLICY, signInPage } from './views.js';

const FORM_BYTES_MAX = 10_000;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

function log(event, fields = {}) {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level: fields.error ? 'error' : 'info', program: 'dev-signin', event, ...fields })}\n`);
}

function fail(error) {
  process.stderr.write(error.message.split('\n').map((line) => `dev-signin: ${line}\n`).join(''));
  process.exit(2);
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
  response.end(body);
}

async function readForm(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > FORM_BYTES_MAX) throw new Error('the form is too long');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

// A name that resolves to this machine is not this machine's name: another site could have it.
function isAddressedToUs({ headers }) {
  try {
    return isLoopback(new URL(`http://${headers.host}`).hostname.replace(/^\[|\]$/g, ''));
  } catch {
    return false;
  }
}

function makeHandler(provider, accounts) {
  const callback = provider.callback();
  const files = new Map([
    ['/style.css', ['text/css; charset=utf-8', readFileSync(here('style.css'))]],
    ['/sign-out.js', ['text/javascript; charset=utf-8', readFileSync(here('sign-out.js'))]],
    ['/icon.svg', ['image/svg+xml', readFileSync(here('icon.svg'))]],
  ]);

  async function signIn(request, response, cancel) {
    let details;
    try {
      details = await provider.interactionDetails(request, response);
    } catch {
      send(response, 400, 'text/html; charset=utf-8', lostPage());
      return;
    }
    const { uid, params } = details;
    const show = (more) => send(response, more.problem ? 401 : 200, 'text/html; charset=utf-8',
      signInPage({ uid, accounts: accounts.all, ...more }));
    if (cancel && request.method === 'POST') {
      const result = { error: 'access_denied', error_description: 'the sign-in was cancelled' };
      await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    } else if (request.method === 'POST') {
      const form = await readForm(request);
      const account = accounts.check(form.get('email') ?? '', form.get('password') ?? '');
      if (!account) show({ email: form.get('email') ?? '', problem: 'This email and password do not belong together.' });
      else await provider.interactionFinished(request, response, { login: { accountId: account.id } });
    } else {
      show({ email: params.login_hint });
    }
  }

  return async (request, response) => {
    try {
      if (!isAddressedToUs(request)) {
        send(response, 421, 'text/plain; charset=utf-8', 'This sign-in answers to localhost only.\n');
        return;
      }
      response.setHeader('Content-Security-Policy', POLICY);
      response.setHeader('X-Content-Type-Options', 'nosniff');
      response.setHeader('Referrer-Policy', 'no-referrer');
      const path = request.url.split('?', 1)[0];
      const match = /^\/sign-in\/[\w-]+(\/cancel)?$/.exec(path);
      if (match) await signIn(request, response, Boolean(match[1]));
      else if (files.has(path) && request.method === 'GET') send(response, 200, ...files.get(path));
      else await callback(request, response);
    } catch (error) {
      log('request failed', { error: error.message, path: request.url.split('?', 1)[0] });
      if (!response.headersSent) send(response, 500, 'text/plain; charset=utf-8', 'Something went wrong.\n');
      else response.destroy();
    }
  };
}

// `localhost` may be ::1 first, where others do not look: it is 127.0.0.1 here.
function listen(server, { host, port }) {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`--listen: ${host}:${port}: ${error.code === 'EADDRINUSE' ? 'the port is in use' : error.message}`)));
    server.listen(port, host === 'localhost' ? '127.0.0.1' : host, () => resolve(server.address()));
  });
}

async function main() {
  if (process.argv.includes('--help')) {
    process.stdout.write(help());
    return;
  }
  const settings = readSettings(process.argv.slice(2));
  const accounts = new Accounts(settings.accounts || here('accounts.json'));
  const store = new Store(settings.dataDir);
  const server = createServer();
  const { port } = await listen(server, settings);
  const name = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  const issuer = `http://${name}:${port}`;
  const provider = makeProvider(issuer, settings, accounts, store);
  provider.on('server_error', (ctx, error) => log('request failed', { error: error.message, path: ctx.path }));
  server.on('request', makeHandler(provider, accounts));
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      server.close();
      server.closeAllConnections();
      store.write();
      log('stopped', { signal });
      process.exit(0);
    });
  }
  log('listening', { address: `${name}:${port}`, port, issuer });
}

main().catch(fail);
