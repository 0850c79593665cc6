// Who can sign in: a small table from a file, not a user management.
import { readFileSync } from 'node:fs';

export class Accounts {
  #list;

  constructor(path) {
    this.#list = JSON.parse(readFileSync(path, 'utf8'));
    for (const { id, email, password, scopes } of this.#list) {
      if (![id, email, password].every((text) => typeof text === 'string' && text) || !Array.isArray(scopes)) {
        throw new Error(`${path}: every account needs an id, an email, a password and scopes`);
      }
    }
  }

  get all() {
    return this.#list;
  }

  byId(id) {
    return this.#list.find((account) => account.id === id);
  }

  // The account, or undefined when address or password are wrong.
  check(email = '', password = '') {
    const wanted = email.trim().toLowerCase();
    return this.#list.find((account) => account.email === wanted && account.password === password);
  }
}

// What a token says about somebody (OpenID Connect Core, 5.1).
export function claimsOf({ id, email, givenName, familyName }) {
  return {
    sub: id,
    email,
    email_verified: true,
    name: [givenName, familyName].filter(Boolean).join(' ') || email,
    given_name: givenName,
    family_name: familyName,
  };
}
