// What the provider remembers: all of it in memory, and in one file the part that people would
// miss after a restart (keys, sessions, grants, refresh tokens). Written whole, beside the old one,
// then renamed: there is always a complete file.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const KEPT = new Set(['Session', 'Grant', 'RefreshToken']);
const WRITE_AFTER_MS = 200;

export class Store {
  #path;
  #records = new Map(); // "Model:id" → {payload, expires (seconds since 1970)}
  #secrets = null;
  #timer = null;

  constructor(directory) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#path = join(directory, 'state.json');
    this.#read();
  }

  #read() {
    let text;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if (error.code === 'ENOENT') return;
      throw error;
    }
    try {
      const { secrets, records } = JSON.parse(text);
      this.#secrets = secrets;
      this.#records = new Map(records);
    } catch (error) {
      throw new Error(`${this.#path} cannot be read (${error.message}); without it everybody signs in again`);
    }
  }

  // The keys of this installation, made by `make` the first time.
  secrets(make) {
    if (!this.#secrets) {
      this.#secrets = make();
      this.write();
    }
    return this.#secrets;
  }

  write() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const now = Date.now() / 1000;
    for (const [key, { expires }] of this.#records) if (expires <= now) this.#records.delete(key);
    const records = [...this.#records].filter(([key]) => KEPT.has(key.split(':', 1)[0]));
    const file = openSync(`${this.#path}.new`, 'w', 0o600);
    writeSync(file, JSON.stringify({ secrets: this.#secrets, records }));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.#path}.new`, this.#path);
  }

  #changed(model) {
    if (KEPT.has(model)) this.#timer ??= setTimeout(() => this.write(), WRITE_AFTER_MS).unref();
  }

  get(model, id) {
    const record = this.#records.get(`${model}:${id}`);
    return record && record.expires > Date.now() / 1000 ? record.payload : undefined;
  }

  put(model, id, payload, lifetimeS) {
    const expires = lifetimeS ? Date.now() / 1000 + lifetimeS : Number.MAX_SAFE_INTEGER;
    this.#records.set(`${model}:${id}`, { payload, expires });
    this.#changed(model);
  }

  drop(model, id) {
    this.#records.delete(`${model}:${id}`);
    this.#changed(model);
  }

  dropWhere(model, test) {
    for (const [key, { payload }] of this.#records) {
      if (key.startsWith(`${model}:`) && test(payload)) this.#records.delete(key);
    }
    this.#changed(model);
  }

  find(model, test) {
    for (const [key, { payload }] of this.#records) {
      if (key.startsWith(`${model}:`) && test(payload)) return this.get(model, key.slice(model.length + 1));
    }
    return undefined;
  }
}

// The store as oidc-provider wants to see it: a class, made once for each of its models.
export function adapterOf(store) {
  return class {
    #model;

    constructor(model) {
      this.#model = model;
    }

    async upsert(id, payload, lifetimeS) {
      store.put(this.#model, id, payload, lifetimeS);
    }

    async find(id) {
      return store.get(this.#model, id);
    }

    async findByUid(uid) {
      return store.find(this.#model, (payload) => payload.uid === uid);
    }

    async findByUserCode() {
      return undefined; // devices do not sign in here
    }

    async consume(id) {
      const payload = store.get(this.#model, id);
      if (payload) store.put(this.#model, id, { ...payload, consumed: Math.floor(Date.now() / 1000) }, payload.exp - Date.now() / 1000);
    }

    async destroy(id) {
      store.drop(this.#model, id);
    }

    async revokeByGrantId(grantId) {
      store.dropWhere(this.#model, (payload) => payload.grantId === grantId);
    }
  };
}
