// What the page asks its server, and the key that it sends along.
// The key lives in this tab's session storage and nowhere else; it is sent to this server only.

const KEY = "wfctl-management-key";

export class KeyWanted extends Error {}
export class Unreachable extends Error {}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Send a request; `path` is relative to the page, so that the server may stand behind a prefix. */
export async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("Authorization", `Bearer ${key.get()}`);
  return fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
}

/** Ask for JSON; throws KeyWanted, or Unreachable with why. */
export async function ask(path) {
  let response;
  try {
    response = await send(path, { signal: AbortSignal.timeout(8000) });
  } catch {
    throw new Unreachable("The server does not answer.");
  }
  if (response.status === 401) throw new KeyWanted();
  if (!response.ok) throw new Unreachable(`The server answers with ${response.status}.`);
  try {
    return await response.json();
  } catch {
    throw new Unreachable("The answer of the server broke off.");
  }
}

/** The path of one version of a workflow. */
export const pathOf = (workflow, version, what) =>
  `status/${encodeURIComponent(workflow)}/${encodeURIComponent(version)}/${what}`;
