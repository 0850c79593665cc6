// Server-sent events by fetch. EventSource cannot send headers, and a key in an address would end up
// in logs; so the few lines of the format (HTML Living Standard, 9.2.6) are read here.
import { callFailed, open } from './api.js';

// The server says something at least every 15 s.
const SILENCE_MS = 45_000;

// Takes the pieces of a stream; calls onEvent(type, data) for every event that is complete.
export class EventReader {
  #rest = '';
  #type = '';
  #data = [];
  #onEvent;

  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  push(text) {
    this.#rest += text;
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#take(line);
  }

  #take(line) {
    if (line === '') {
      if (this.#data.length) this.#onEvent(this.#type || 'message', this.#data.join('\n'));
      this.#type = '';
      this.#data = [];
      return;
    }
    const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#type = value;
  }
}

// Reads GET `path` until `signal` aborts it. onOpen() when the server has begun, onMessage(text) for
// each message. Throws an ApiError when it ends in any other way.
export async function readTail(path, { onOpen, onMessage, signal }) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  signal.addEventListener('abort', stop);
  let failure = null;
  let silence = null;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(stop, SILENCE_MS);
  };
  const events = new EventReader((type, data) => {
    if (type === 'message') onMessage(data);
    else if (type === 'error') failure = data;
  });
  try {
    heard();
    const response = await open(path, controller.signal);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || failure) break;
      heard();
      events.push(value);
    }
  } catch (error) {
    if (error.name === 'ApiError') throw error;
    // Otherwise the connection broke, or we broke it.
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    stop();
  }
  if (!signal.aborted) throw callFailed(failure);
}
