// The form's fields: filling, reading, and showing what the API says about them. What is valid is
// the API's to say; the page does not repeat its rules.
import { byId, el } from './dom.js';

const TEXT_FIELDS = ['displayName', 'email', 'givenName', 'familyName'];
const ALL_FIELDS = [...TEXT_FIELDS, 'status', 'labels'];

const control = (field) => byId(`field-${field}`);
const errorOf = (field) => byId(`error-${field}`);

export function fillForm(user) {
  for (const field of TEXT_FIELDS) control(field).value = user[field] ?? '';
  control('status').value = user.status ?? 'USER_STATUS_ACTIVE';
  control('labels').replaceChildren();
  for (const [key, value] of sorted(user.labels)) addLabel(key, value);
  clearErrors();
}

export function addLabel(key = '', value = '') {
  const list = control('labels');
  const remove = el('button', { type: 'button', class: 'icon-button', onclick: () => removeLabel(row) }, '×');
  const row = el('li', { class: 'label-row' },
    el('input', { class: 'label-key', placeholder: 'key', autocapitalize: 'none', spellcheck: 'false', autocomplete: 'off' }),
    el('input', { class: 'label-value', placeholder: 'value', autocomplete: 'off', dir: 'auto' }),
    remove);
  const [keyInput, valueInput] = row.querySelectorAll('input');
  keyInput.value = key;
  valueInput.value = value;
  list.append(row);
  nameLabels();
  return keyInput;
}

function removeLabel(row) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  nameLabels();
  (neighbour?.querySelector('input') ?? byId('add-label')).focus();
}

function nameLabels() {
  [...control('labels').children].forEach((row, i) => {
    const [key, value, remove] = row.children;
    key.setAttribute('aria-label', `Label ${i + 1}, key`);
    value.setAttribute('aria-label', `Label ${i + 1}, value`);
    remove.setAttribute('aria-label', `Remove label ${i + 1}`);
    for (const input of [key, value]) input.setAttribute('aria-describedby', 'error-labels');
  });
}

// The user as the form says; null, with an error shown, when a label's key is there twice.
export function readForm() {
  const user = {};
  for (const field of TEXT_FIELDS) user[field] = control(field).value.trim();
  user.status = control('status').value;
  const labels = [...control('labels').children]
    .map((row) => [row.children[0].value.trim(), row.children[1].value.trim()])
    .filter(([key, value]) => key || value);
  const twice = labels.find(([key], i) => labels.findIndex((other) => other[0] === key) !== i);
  if (twice) {
    showErrors([{ field: 'labels', description: `The label “${twice[0]}” is there twice.` }]);
    return null;
  }
  user.labels = Object.fromEntries(labels);
  return user;
}

// All that stands in the form, as it was typed; writeForm puts it back.
export function formText() {
  const text = Object.fromEntries([...TEXT_FIELDS, 'status'].map((field) => [field, control(field).value]));
  text.labels = [...control('labels').children].map((row) => [row.children[0].value, row.children[1].value]);
  return text;
}

export function writeForm(text) {
  fillForm({ ...text, labels: {} });
  for (const [key, value] of text.labels) addLabel(key, value);
}

// What differs from the user that the form was filled with.
export function changesFrom(base, user) {
  const changes = {};
  for (const field of TEXT_FIELDS) if (user[field] !== (base[field] ?? '')) changes[field] = user[field];
  if (user.status !== (base.status ?? 'USER_STATUS_ACTIVE')) changes.status = user.status;
  if (JSON.stringify(sorted(user.labels)) !== JSON.stringify(sorted(base.labels))) changes.labels = user.labels;
  return changes;
}

// A new user holds only what was filled in.
export function withoutEmpty(user) {
  return Object.fromEntries(Object.entries(user).filter(([name, value]) =>
    name === 'labels' ? Object.keys(value).length : value !== ''));
}

function sorted(labels) {
  return Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function clearErrors() {
  for (const field of ALL_FIELDS) setError(field, '');
}

// Shows each violation at its field and focuses the first; answers those that have no field here.
export function showErrors(violations) {
  const texts = new Map();
  const others = [];
  for (const { field = '', description: said = '' } of violations) {
    const name = localName(field);
    const label = /^(?:user\.)?labels[.[]"?(.*?)"?\]?$/.exec(field)?.[1];
    const description = label === undefined ? said : `“${label}” ${said}`;
    if (!ALL_FIELDS.includes(name)) others.push(field ? `${field}: ${description}` : description);
    else texts.set(name, texts.has(name) ? `${texts.get(name)} ${description}` : description);
  }
  for (const field of ALL_FIELDS) setError(field, texts.get(field) ?? '');
  const first = ALL_FIELDS.find((field) => texts.has(field));
  if (first === 'labels') (control('labels').querySelector('input') ?? byId('add-label')).focus();
  else if (first) control(first).focus();
  return others;
}

// user.display_name, user.displayName, user.labels["team"] → displayName, displayName, labels
function localName(field) {
  const name = field.replace(/^user\./, '').split(/[.[]/)[0];
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function setError(field, text) {
  errorOf(field).textContent = text;
  const inputs = field === 'labels' ? control('labels').querySelectorAll('input') : [control(field)];
  for (const input of inputs) {
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
}
