// Answers on their way to the server. Each is kept in localStorage, under its own key, until the
// server has said that it is stored; sending it twice is harmless because it carries its UUID.

const UUIDS_KEPT = 50;
const RETRY_SECONDS = [1, 2, 4, 8, 15];

export function newUuid() {
  if (crypto.randomUUID) return crypto.randomUUID(); // only on https and localhost
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function cookie(ending) {
  const found = document.cookie.split("; ").find((each) => each.split("=")[0].endsWith(ending));
  return found?.slice(found.indexOf("=") + 1);
}

/** The headers every request of this page carries. */
export function headers() {
  const token = cookie("csrf") ?? document.querySelector("meta[name=csrf-token]").content;
  return { "X-CSRFToken": token, "X-Requested-With": "fetch" };
}

/** Renew or release leases; the answer's HTML, or undefined without a connection. */
export async function postLeases(url, leases) {
  try {
    const response = await fetch(url, {
      method: "POST", keepalive: true, headers: headers(), redirect: "manual",
      body: new URLSearchParams({ held: leases.join(",") }),
    });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined; // the outbox tells that we are offline; leases run out by themselves
  }
}

/** One UUID per lease, shared by every tab of this browser, so that two tabs record one answer. */
export class LeaseUuids {
  constructor(key) {
    this.key = key;
  }

  of(lease) {
    if (!lease) return newUuid();
    const known = this.#load();
    const uuid = known.find(([each]) => each === lease)?.[1] ?? newUuid();
    this.#save([...known.filter(([each]) => each !== lease), [lease, uuid]]);
    return uuid;
  }

  /** The answer was taken back: the next one to the same lease is another answer. */
  forget(lease) {
    this.#save(this.#load().filter(([each]) => each !== lease));
  }

  #load() {
    try {
      return JSON.parse(localStorage.getItem(this.key) ?? "[]");
    } catch {
      return [];
    }
  }

  #save(known) {
    try {
      localStorage.setItem(this.key, JSON.stringify(known.slice(-UUIDS_KEPT)));
    } catch {
      // the server refuses a second answer to one lease anyway
    }
  }
}

export class Outbox {
  #waiting = [];
  #busy = false;
  #failures = 0;
  #timer = 0;

  /**
   * `onStored(op, html)` runs once per op the server stored, `onRefused(op, sentence)` once per op
   * it refused, `onState()` whenever what the page says about saving may have changed.
   */
  constructor({ url, prefix, held, onStored, onRefused, onState }) {
    Object.assign(this, { url, prefix, held, onStored, onRefused, onState });
    this.signedOut = false;
    this.hasStored = false;
    this.#waiting = this.#kept();
    addEventListener("online", () => this.flush());
    addEventListener("focus", () => this.flush());
  }

  get count() {
    return this.#waiting.length;
  }

  /** How many of them are answers, skips or flags; taking one back is not one more. */
  get answers() {
    return this.#waiting.filter((op) => op.kind !== "retract").length;
  }

  get offline() {
    return this.#failures > 0;
  }

  add(op) {
    this.#waiting.push(op);
    this.#keep(op);
    this.onState();
    this.#send();
  }

  /** Try at once what would otherwise wait for its turn. */
  flush() {
    clearTimeout(this.#timer);
    this.#send();
  }

  /** Is an answer to this item, or a skip, still waiting here? */
  holds(item) {
    return this.#waiting.some((op) => op.item === item && (op.kind === "answer" || op.kind === "skip"));
  }

  #keep(op) {
    try {
      localStorage.setItem(`${this.prefix}.${op.at}.${op.uuid}`, JSON.stringify(op));
    } catch {
      // Storage is full or off: the answer lives in this page, and leaving asks first.
    }
  }

  #forget(op) {
    this.#waiting = this.#waiting.filter((each) => each !== op);
    try {
      localStorage.removeItem(`${this.prefix}.${op.at}.${op.uuid}`);
    } catch {
      // nothing was kept
    }
  }

  #kept() {
    try {
      return Object.keys(localStorage)
        .filter((key) => key.startsWith(`${this.prefix}.`))
        .sort()
        .map((key) => JSON.parse(localStorage.getItem(key)));
    } catch {
      return [];
    }
  }

  async #send() {
    if (this.#busy || this.signedOut || !this.#waiting.length) return;
    this.#busy = true;
    const op = this.#waiting[0];
    const outcome = await this.#post(op);
    this.#busy = false;
    if (outcome.later) return this.#wait();
    this.#failures = 0;
    if (!outcome.signedOut) this.#forget(op);
    if (outcome.html !== undefined) {
      this.hasStored = true;
      this.#stored(op, outcome.html);
    }
    if (outcome.refused) this.onRefused(op, outcome.refused);
    this.signedOut = outcome.signedOut === true;
    this.onState();
    return this.#send();
  }

  #stored(op, html) {
    const assignment = this.onStored(op, html);
    if (op.kind !== "retract" || !assignment) return;
    // Answers given after an undo, before the server named the new lease.
    for (const each of this.#waiting)
      if (each.after === op.uuid) {
        each.assignment = assignment;
        this.#keep(each);
      }
  }

  async #post(op) {
    const form = new URLSearchParams();
    for (const name of ["uuid", "kind", "assignment", "annotation", "question", "value", "reason", "comment", "seconds"])
      if (op[name] !== undefined) form.append(name, op[name]);
    for (const label of op.labels ?? []) form.append("labels", label);
    form.append("held", this.held().join(","));
    try {
      const response = await fetch(this.url, {
        method: "POST", body: form, headers: headers(), redirect: "manual",
        signal: AbortSignal.timeout(15_000),
      });
      return await this.#read(response);
    } catch {
      return { later: true };
    }
  }

  async #read(response) {
    if (response.ok) return { html: await response.text() };
    if (response.type === "opaqueredirect" || response.status === 401) return { signedOut: true };
    if (response.status >= 500 || response.status === 429) return { later: true };
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // Without a code it is not ours: the form token is not of this session any more.
    if (response.status === 403 && !page.querySelector("[data-code]")) return { signedOut: true };
    const sentence = page.querySelector("[data-detail]")?.textContent.trim();
    return { refused: sentence || `The server refused it (${response.status}).` };
  }

  #wait() {
    const seconds = RETRY_SECONDS[Math.min(this.#failures, RETRY_SECONDS.length - 1)];
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#send(), seconds * 1000);
    this.onState();
  }
}
