// Passkeys: asks the API what to ask the browser for, asks it, and sends back
// what it answers. Whatever does not work is said in words.
'use strict';

(() => {
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? '';
  const messages = document.getElementById('messages');
  /** What can be cancelled, while it lasts. */
  let asking = null;

  class Refused extends Error {
    constructor(detail, reason) {
      super(detail);
      this.reason = reason;
    }
  }

  function say(text, isBad, reason) {
    const box = document.createElement('div');
    box.className = isBad ? 'message bad' : 'message';
    if (reason) box.dataset.reason = reason;
    const line = document.createElement('p');
    line.textContent = text;
    box.append(line);
    messages.replaceChildren(box);
    messages.scrollIntoView({ block: 'nearest' });
  }

  async function call(method, path, body, token) {
    const headers = { 'x-csrf-token': csrf };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (token) headers['x-ig-step-up'] = token;
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        redirect: 'error',
      });
    } catch {
      throw new Refused('The control plane cannot be reached; try again.', 'unreachable');
    }
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const problem = await answer.json().catch(() => ({}));
    if (answer.status === 401 && !problem.reason) {
      throw new Refused('You are logged out. Reload the page to log in again.', 'logged-out');
    }
    if (problem.reason === 'stale-login') {
      const why = 'Log in again first: the first passkey needs a login of the last five minutes.';
      throw new Refused(why, problem.reason);
    }
    const detail = problem.problems?.length ? problem.problems.join('; ') : problem.detail;
    throw new Refused(sentence(detail ?? `It did not work (${answer.status}).`), problem.reason);
  }

  function sentence(text) {
    const said = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(said) ? said : `${said}.`;
  }

  /** Why the browser gave no answer. */
  function explain(error) {
    if (error instanceof Refused) return error;
    switch (error.name) {
      case 'AbortError':
        return new Refused('You cancelled it. Nothing was approved or changed.', 'cancelled');
      case 'NotAllowedError':
        return new Refused(
          'No passkey was used: it was cancelled, took too long, or did not verify who you are. ' +
            'Nothing was approved or changed.',
          'not-allowed',
        );
      case 'InvalidStateError':
        return new Refused('This authenticator has one of your passkeys already.', 'known');
      case 'SecurityError':
        return new Refused('Passkeys do not work at this address; ask whoever runs the guard.', 'site');
      default:
        return new Refused('This browser or authenticator cannot do it.', 'unsupported');
    }
  }

  async function create(publicKey) {
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
    return ask((signal) => navigator.credentials.create({ publicKey: options, signal }));
  }

  async function get(publicKey) {
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
    return ask((signal) => navigator.credentials.get({ publicKey: options, signal }));
  }

  async function ask(request) {
    asking = new AbortController();
    const cancel = document.querySelector('[data-cancel]');
    if (cancel) cancel.hidden = false;
    try {
      return (await request(asking.signal)).toJSON();
    } finally {
      asking = null;
      if (cancel) cancel.hidden = true;
    }
  }

  /** A proof of presence for what an intent names. */
  async function prove(intent) {
    const begun = await call('POST', '/webauthn/authentication/options', intent);
    say('Use your passkey now.');
    const credential = await get(begun.publicKey);
    const answer = { ceremony: begun.ceremony, credential };
    return call('POST', '/webauthn/authentication/verify', answer);
  }

  async function register(form) {
    const isFirst = form.dataset.first === 'yes';
    const own = isFirst ? null : await prove({ actions: ['passkey:add'] });
    const wanted = { name: form.elements.name.value };
    const begun = await call('POST', '/webauthn/registration/options', wanted, own?.token);
    say('Create the passkey now.');
    const credential = await create(begun.publicKey);
    const answer = { ceremony: begun.ceremony, credential };
    await call('POST', '/webauthn/registration/verify', answer);
    return reload('added');
  }

  async function remove(button) {
    const own = await prove({ actions: ['passkey:remove'] });
    const path = `/webauthn/passkeys/${encodeURIComponent(button.dataset.remove)}`;
    await call('DELETE', path, undefined, own.token);
    return reload('removed');
  }

  async function approve(form) {
    const granted = await prove(JSON.parse(form.dataset.intent));
    const section = document.getElementById('granted');
    document.getElementById('step-up-token').value = granted.token;
    const until = new Date(granted.expiresAt * 1000);
    const expiry = document.getElementById('step-up-expiry');
    expiry.dateTime = until.toISOString();
    expiry.textContent = until.toLocaleTimeString();
    form.hidden = true;
    section.hidden = false;
    document.getElementById('granted-head').focus();
    say('Approved.');
    window.setTimeout(() => {
      document.getElementById('step-up-token').value = '';
      section.hidden = true;
      form.hidden = false;
      say('The token is over. Approve again if you still need one.', true, 'expired');
    }, Math.max(0, until - Date.now()));
  }

  /** The page anew, with what to say there. */
  function reload(what) {
    location.assign(`/console#${what}`);
    location.reload();
  }

  /** Does one thing at a time, and says what became of it. */
  async function run(control, work) {
    const buttons = [...document.querySelectorAll('main button:not([data-cancel])')];
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      const { message, reason } = explain(error);
      say(message, true, reason);
      const again = document.getElementById('again');
      if (again) again.hidden = reason !== 'stale-login';
    } finally {
      for (const button of buttons) button.disabled = false;
      if (!document.activeElement || document.activeElement === document.body) control.focus();
    }
  }

  function onSubmit(id, work) {
    const form = document.getElementById(id);
    form?.addEventListener('submit', (event) => {
      event.preventDefault();
      run(form.querySelector('button'), () => work(form));
    });
  }

  onSubmit('register', register);
  onSubmit('approve', approve);
  for (const button of document.querySelectorAll('[data-remove]')) {
    button.addEventListener('click', () => run(button, () => remove(button)));
  }
  for (const button of document.querySelectorAll('[data-cancel]')) {
    button.addEventListener('click', () => asking?.abort());
  }
  document.getElementById('copy')?.addEventListener('click', async () => {
    const field = document.getElementById('step-up-token');
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      say('Copied.');
    } catch {
      say('It could not be copied; it is selected, copy it by hand.', true, 'copy');
    }
  });

  const done = { '#added': 'The passkey was added.', '#removed': 'The passkey was removed.' };
  if (done[location.hash]) {
    say(done[location.hash]);
    history.replaceState(null, '', location.pathname);
  }
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    const forms = document.querySelector('#register, #approve, [data-remove]');
    if (forms) say('This browser has no passkeys, or is too old for them.', true, 'unsupported');
  }
})();
