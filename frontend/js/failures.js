// What the API's refusals mean to a reader.
import { formatAge } from './format.js';

const isOfKey = (error) => error.reason.includes('KEY') && error.reason !== 'IDEMPOTENCY_KEY_REUSED';
const isOfQuota = (error) => error.reason === 'QUOTA_EXCEEDED';
const QUOTA = 'The quota is used up';
const KEY = 'This page’s API key is missing or not accepted';

// The end of such a sentence in the status line.
export const nextTry = (delayMs) => `next try in ${formatAge(delayMs)}.`;

// Why something cannot be read, without a full stop; `otherwise` when it is no refusal.
export function whyNotRead(error, otherwise) {
  if (error.isLimit) return isOfQuota(error) ? QUOTA : 'Too many requests';
  if (error.isForbidden) return isOfKey(error) ? KEY : 'This may not be read from here';
  if (error.needsSignIn) return 'Reading needs you to be signed in';
  return otherwise;
}

// Why something was not carried out, and what to do now.
export function whyNotDone(error) {
  if (error.isLimit) {
    const when = error.retryAfterMs ? `in ${formatAge(error.retryAfterMs)}` : 'in a moment';
    return `${isOfQuota(error) ? QUOTA : 'Too many requests in a short time'}. Try again ${when}.`;
  }
  if (error.needsSignIn) return 'You are not signed in, or not any more. Sign in and go on here: nothing that you typed is lost.';
  if (error.isForbidden) return isOfKey(error) ? `${KEY}.` : `You may not do this. ${error.message}`;
  return error.isTemporary ? `${error.message} Try again.` : error.message;
}
