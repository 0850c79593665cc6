// The command line, in the way of the other programs: --name=value, all that is wrong at once.
import { isIPv4 } from 'node:net';

const TABLE = {
  listen: ['localhost:9400', 'address and port; loopback only, port 0 for any'],
  'data-dir': ['data/signin', 'where keys, sessions and refresh tokens are kept'],
  pages: ['http://localhost:8080,http://127.0.0.1:8080', 'origins of the pages that may sign in here'],
  accounts: ['', 'a JSON file in the form of accounts.json; empty: the demo accounts'],
  'access-ttl': ['3600', 'seconds that an access token is good for'],
  'refresh-ttl': ['1209600', 'seconds that a session and its refresh token are good for'],
};

export class SettingsError extends Error {}

export function help() {
  const lines = Object.entries(TABLE).map(([name, [preset, text]]) =>
    `  --${name.padEnd(13)} ${text}\n${' '.repeat(18)}default ${preset || '(none)'}\n`);
  return `dev-signin: sign-in for a development machine, an OpenID Connect provider. Never for production.\n\n${lines.join('')}`;
}

// Answers {host, port, dataDir, pages, accounts, accessTtl, refreshTtl}; throws a SettingsError.
export function readSettings(args) {
  const problems = [];
  const texts = Object.fromEntries(Object.entries(TABLE).map(([name, [preset]]) => [name, preset]));
  for (const arg of args) {
    const match = /^--([a-z-]+)=(.*)$/s.exec(arg);
    if (match && match[1] in texts) texts[match[1]] = match[2];
    else problems.push(`${arg}: there is no such setting`);
  }
  const settings = {
    ...readListen(texts.listen, problems),
    dataDir: texts['data-dir'],
    pages: texts.pages.split(',').map((page) => readPage(page.trim(), problems)),
    accounts: texts.accounts,
    accessTtl: readSeconds('access-ttl', texts, problems),
    refreshTtl: readSeconds('refresh-ttl', texts, problems),
  };
  if (problems.length) throw new SettingsError(problems.join('\n'));
  return settings;
}

// Whoever reaches this program can sign in with a password that stands in its source.
function readListen(text, problems) {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? -1);
  if (!match || port > 65535) {
    problems.push(`--listen: ${text} is not HOST:PORT`);
  } else if (!isLoopback(host)) {
    problems.push(`--listen: ${text} is not on loopback; this sign-in is for development on one machine, with passwords that everybody knows`);
  }
  return { host, port };
}

export function isLoopback(host) {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function readPage(text, problems) {
  try {
    const { origin, protocol } = new URL(text);
    if (origin === text && /^https?:$/.test(protocol)) return origin;
  } catch {
    // said below
  }
  problems.push(`--pages: "${text}" is not scheme://host[:port]`);
  return text;
}

function readSeconds(name, texts, problems) {
  const value = Number(texts[name]);
  if (!/^\d{1,9}$/.test(texts[name]) || value < 1) problems.push(`--${name}: ${texts[name]} is not a number of seconds`);
  return value;
}
