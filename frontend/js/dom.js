// Making elements. Everything that comes from outside becomes a text node or an attribute: the page
// has no innerHTML and, for its content security policy, no style attributes either.

// el('p', {class: 'x', title: 't', onclick: f}, 'text', child, ...): null children are left out,
// properties that are null or false are not set.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

// Sets the text only when it differs, so that screen readers do not hear the same thing again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const prefersReducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
