// The provider's own pages: plain HTML, one style sheet, and a script only where a form submits
// itself. Everything that comes from outside goes through html``.
export const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

class Markup {
  constructor(text) {
    this.text = text;
  }
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

// A template tag: values are escaped, unless they are markup already.
function html(parts, ...values) {
  const show = (value) => {
    if (Array.isArray(value)) return value.map(show).join('');
    if (value instanceof Markup) return value.text;
    return String(value ?? '').replace(/[&<>"']/g, (char) => ESCAPES[char]);
  };
  return new Markup(parts.reduce((text, part, i) => text + show(values[i - 1]) + part));
}

function frame(title, content, script = null) {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · OmniData</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/style.css">
  ${script ? html`<script src="${script}" defer></script>` : ''}
</head>
<body>
  <main>
    <p class="brand"><img src="/icon.svg" width="32" height="32" alt=""> OmniData</p>
    ${content}
    <p class="note">Sign-in for development, on this machine only.</p>
  </main>
</body>
</html>
`.text;
}

// problem: a text that is shown, and read aloud, above the fields; the email stays filled in.
export function signInPage({ uid, accounts, email = '', problem = '' }) {
  return frame('Sign in', html`
    <section class="card" aria-labelledby="title">
      <h1 id="title">Sign in</h1>
      ${problem && html`<p class="problem" id="problem" role="alert">${problem}</p>`}
      <form method="post" action="/sign-in/${uid}">
        <label for="email">Email</label>
        <input id="email" name="email" type="email" value="${email}" autocomplete="username" autocapitalize="none"
          spellcheck="false" required ${email ? '' : 'autofocus'} ${problem ? html`aria-describedby="problem"` : ''}>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required
          ${email ? 'autofocus' : ''} ${problem ? html`aria-invalid="true" aria-describedby="problem"` : ''}>
        <button type="submit" class="primary">Sign in</button>
      </form>
      <form method="post" action="/sign-in/${uid}/cancel"><button type="submit" class="plain">Cancel</button></form>
    </section>
    <section class="card demo" aria-labelledby="demo">
      <h2 id="demo">Demo accounts</h2>
      <dl>${accounts.filter(({ says }) => says).map((account) => html`
        <div>
          <dt><code>${account.email}</code> <code>${account.password}</code></dt>
          <dd>${account.givenName} ${account.says}.</dd>
        </div>`)}
      </dl>
    </section>`);
}

function message(title, text) {
  return frame(title, html`<section class="card"><h1>${title}</h1><p>${text}</p></section>`);
}

export const lostPage = () => message('This sign-in is over',
  'It was finished already, or took too long. Go back to the page and sign in again.');

// The three below are given to oidc-provider.
export function errorPage(ctx, out) {
  ctx.type = 'html';
  ctx.body = message('That did not work', `${out.error}: ${out.error_description ?? 'no details'}`);
}

// Whoever comes with a token of the session has pressed the page's own button: that is enough of a
// question. Without one it could be any site's link, so it is asked.
export function signOutPage(ctx, form) {
  const known = Boolean(ctx.oidc.entities.IdTokenHint);
  const fields = new Markup(form.replace(/^<form id="[^"]*"/, '<form id="sign-out"')
    .replace('</form>', '<input type="hidden" name="logout" value="yes"><button type="submit" class="primary" autofocus>Sign out</button></form>'));
  ctx.type = 'html';
  ctx.body = frame('Sign out', html`
    <section class="card"><h1>Sign out?</h1>${fields}</section>`, known ? '/sign-out.js' : null);
}

export function endPage(ctx) {
  ctx.type = 'html';
  ctx.body = message('You are signed out', 'You can close this window.');
}
