// Passkeys: asks the server for a challenge, the browser for its answer, and sends it with a form of the page.

const BUTTON = "[data-passkey]";
const PROVE = [401, 429];

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function named(list = []) {
  return list.map((one) => ({ ...one, id: bytes(one.id) }));
}

function readable(options) {
  const asked = { ...options, challenge: bytes(options.challenge) };
  if (options.user) asked.user = { ...options.user, id: bytes(options.user.id) };
  if (options.allowCredentials) asked.allowCredentials = named(options.allowCredentials);
  if (options.excludeCredentials) asked.excludeCredentials = named(options.excludeCredentials);
  return asked;
}

function sendable(credential) {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = text(credential.response[part]);
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

async function ask(form) {
  const answer = await fetch(form.dataset.begin, { method: "POST", body: new FormData(form) });
  if (!answer.ok) throw new Error(String(answer.status), { cause: answer.status });
  const { token, options } = await answer.json();
  const asked = { publicKey: readable(options.publicKey) };
  const credential = form.dataset.passkey === "create" ? await navigator.credentials.create(asked) : await navigator.credentials.get(asked);
  form.elements.begun.value = token;
  form.elements.answer.value = JSON.stringify(sendable(credential));
}

async function use(event) {
  const form = event.target;
  if (form.elements.answer.value) return;
  event.preventDefault();
  const refused = form.querySelector("[data-refused]");
  const unproven = form.querySelector("[data-unproven]");
  refused.hidden = true;
  if (unproven) unproven.hidden = true;
  try {
    await ask(form);
    form.submit();
  } catch (fault) {
    const which = unproven && PROVE.includes(fault.cause) ? unproven : refused;
    which.hidden = false;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll(BUTTON)) {
    form.hidden = false;
    form.addEventListener("submit", use);
  }
}
